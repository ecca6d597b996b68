/* Cheaper forms of a network and labels with a guarantee, from C. Part of idelta/nn.h, which has the conventions. */
#ifndef IDELTA_NN_COMPRESSION_H
#define IDELTA_NN_COMPRESSION_H

#include "idelta/nn/geometry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was considered, and what became of it. */
typedef struct idelta_considered {
  size_t struct_size;
  const char* name;       /* of a form */
  double multiplications; /* share of the dense network's, in fp32 */
  double settled;         /* share of the sample's labels that it certifies; -1: not tried */
  const char* verdict;    /* "first form", "lost: ...", ... */
  double time;            /* share of the dense network's that a row is expected to take */
} idelta_considered;
#define IDELTA_CONSIDERED_INIT \
  { sizeof(idelta_considered), NULL, 0.0, 0.0, NULL, 0.0 }

/* How ranks are chosen: at most one of the three; with none of them the sample decides. */
typedef struct idelta_compress_options {
  size_t struct_size;
  int64_t rank;                 /* of every layer, or what it has */
  double sigma;                 /* singular values of D above it are kept, and at least 16, or what D has */
  double tolerance;             /* the least rank whose certificate is within it */
  const idelta_dataset* sample; /* usually of training images; read only where it decides, and else may be null */
  idelta_work_seen seen;        /* between layers; or null */
  void (*considered)(void* user, const idelta_considered* form); /* of each, at the end; or null */
  void* user;
  /* Whether layers keep what U V leaves in INT8, unless U V is all of D. With a tail none of the three need be given:
   * ranks are then 0, and D is in INT8. */
  idelta_tail tail;
} idelta_compress_options;
#define IDELTA_COMPRESS_OPTIONS_INIT \
  { sizeof(idelta_compress_options), 0, 0.0, 0.0, NULL, NULL, NULL, NULL, IDELTA_TAIL_NONE }

/* Gives the network cheaper forms, in place of those it has: factorises every layer and proves its bounds. D must be
 * there; it stays. The network is as it was after an error. */
IDELTA_API idelta_status idelta_network_compress(idelta_network* network, const idelta_compress_options* options);

/* Puts the forms of `compressed`, which may have dropped D, onto the dense network they were made of; INVALID_ARGUMENT
 * if it is another. */
IDELTA_API idelta_status idelta_network_attach_forms(const idelta_network* compressed, idelta_network* dense);

/* One form of a network, in the order of its file: among forms without tails ranks rise. Pointers last until the
 * network changes. */
typedef struct idelta_form_info_t {
  size_t struct_size;
  const char* name;         /* "rank 32", "sigma 0.01 + int8", ... */
  const int64_t* ranks;     /* L: columns of U; -1: D itself, in F32 */
  double multiplications;   /* share of the dense network's, in fp32: without those of tails */
  const idelta_tail* tails; /* L: whether INT8 holds what U V leaves */
  double time;              /* share of the dense network's that a row is expected to take */
} idelta_form_info_t;
#define IDELTA_FORM_INFO_INIT \
  { sizeof(idelta_form_info_t), NULL, NULL, 0.0, NULL, 0.0 }
/* form: 0 .. forms - 1, of idelta_network_info. */
IDELTA_API idelta_status idelta_network_form(const idelta_network* network, int64_t form, idelta_form_info_t* info);

/* Labels: argmax over the class dimensions of h^L, the lowest of equals. */
typedef struct idelta_predict_args {
  size_t struct_size;
  int64_t rows;
  const float* images; /* rows x P, scaled as the network's training images were */
  int64_t ld;
  int64_t batch;
  /* Labels of this form alone, without a guarantee; -1, as INIT has it: of the dense network. Not read with guarantee.
   */
  int64_t form;
  /* Not 0: labels that are provably those of the dense F32 network. The fastest form goes first, and only rows that
   * are not certified go on to slower ones; the last is the dense network itself. Needs forms, D, and compute F32. */
  int32_t guarantee;
  int32_t* labels; /* rows */
  /* With guarantee; else must be null. Row i is certified since margins[i] > bounds[i]; both are 0 where the dense
   * network itself gave the label. */
  float* margins;      /* rows */
  float* bounds;       /* rows */
  int32_t* settled_by; /* rows: form that gave the label; `forms` for the dense network */
  int64_t* settled;    /* forms + 1: rows that each form settled */
  int64_t* tried;      /* forms + 1: rows that each form computed */
  double* seconds;     /* one number: of the passes, nothing else */
} idelta_predict_args;
#define IDELTA_PREDICT_ARGS_INIT \
  { sizeof(idelta_predict_args), 0, NULL, 0, 0, -1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* NOT_FINITE for an image whose logits in the dense network are. */
IDELTA_API idelta_status idelta_network_predict(const idelta_network* network, const idelta_predict_args* args);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_COMPRESSION_H */
