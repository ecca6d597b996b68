/* The kinds of things in idelta.h: status codes, instruction sets, formats, activations, optimisers; their names, and
 * whether their settings can be used. Included by idelta.h. */
#ifndef IDELTA_KINDS_H
#define IDELTA_KINDS_H

#include <stddef.h>
#include <stdint.h>

#define IDELTA_VERSION_MAJOR 0
#define IDELTA_VERSION_MINOR 2
#define IDELTA_VERSION_PATCH 0

#if defined(__GNUC__)
#define IDELTA_API __attribute__((visibility("default")))
#else
#define IDELTA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Values are frozen. */
typedef enum idelta_status {
  IDELTA_OK = 0,
  IDELTA_INVALID_ARGUMENT = 1,
  IDELTA_OUT_OF_MEMORY = 2,
  IDELTA_UNSUPPORTED = 3,
  IDELTA_TOLERANCE_NOT_MET = 4,
  IDELTA_INTERNAL = 5,
  IDELTA_NOT_FINITE = 6, /* of nn.h: numbers overflowed, or training diverged */
  IDELTA_FILE_ERROR = 7  /* of nn.h: a file cannot be read or written, or does not hold what the call needs */
} idelta_status;

/* Values are frozen; a larger one includes the smaller. */
typedef enum idelta_isa {
  IDELTA_ISA_AUTO = 0,
  IDELTA_ISA_SCALAR = 1,
  IDELTA_ISA_AVX2 = 2,   /* with FMA */
  IDELTA_ISA_AVX512 = 3, /* F, BW, VL, DQ */
  IDELTA_ISA_AMX = 4     /* AVX-512 and bf16 tiles, which Linux permits */
} idelta_isa;

/* How D is stored and multiplied. The residual stream, the sums and the outputs are fp32 in every format. Values are
 * frozen. */
typedef enum idelta_format {
  IDELTA_FORMAT_AUTO = 0, /* F32; with a tolerance the form that the cost model predicts to be the fastest of all whose
                             certificates are within it, LOW_RANK at the least such rank among them: see
                             idelta_delta_candidates. What is to be trained should name its format */
  IDELTA_FORMAT_F32 = 1,
  IDELTA_FORMAT_BF16X3 = 2,   /* D and x as sums of two bf16 numbers, three of the four products. Without AMX, F32 is
                                 faster and no less accurate and takes its place */
  IDELTA_FORMAT_BF16 = 3,     /* D rounded to bf16, nearest even; x too where that is faster, see idelta_bf16_product */
  IDELTA_FORMAT_LOW_RANK = 4, /* D ~ U V, U (n x r) with orthonormal columns, V (r x n), both fp32: 4 m n r flops in
                                 place of 2 m n^2; r by options.rank, by tolerance, or both: the least whose
                                 certificates are within it, n / 2 at most unless rank says more. A rank shrinks to
                                 what D has: singular values above n 2^-24 of the largest; 0 is legal (D = 0). D must
                                 be finite. NaN or Inf in a row of x reaches all of that row of y. idelta_update
                                 refuses it (UNSUPPORTED). What U V leaves may be kept, too: see idelta_tail */
  IDELTA_FORMAT_INT8 = 5      /* D as integers q of 7 bits with a scale s a column, the largest magnitude / 63, so that
                                 D ~ s q; each direction has scales of its own. x as integers of 8 bits with a scale a
                                 row, its largest magnitude / 127. Sums are exact. A row of x that is not finite, or
                                 below 127 2^-126 throughout, is multiplied in fp32 with s q: NaN or Inf in it reaches
                                 all of that row of y. A column whose s would be below 2^-126 is 0. D must be finite.
                                 idelta_update refuses it (UNSUPPORTED) */
} idelta_format;

/* What LOW_RANK does with D - U V. Values are frozen. */
typedef enum idelta_tail {
  IDELTA_TAIL_NONE = 0, /* drops it */
  IDELTA_TAIL_INT8 = 1 /* holds and multiplies it as INT8 does, with each row of x rounded once; t = x U stays fp32. The
                          sums of the tail are added to those of t V. NaN and Inf as for INT8 */
} idelta_tail;

/* What became of a form that AUTO considered. Values are frozen. Since 0.2. */
typedef enum idelta_verdict {
  IDELTA_VERDICT_CHOSEN = 0,
  IDELTA_VERDICT_SLOWER = 1,   /* the chosen one is predicted to be faster, or as fast */
  IDELTA_VERDICT_INEXACT = 2,  /* its error is above the tolerance; LOW_RANK: at all ranks that would be faster */
  IDELTA_VERDICT_REPLACED = 3, /* this machine runs a faster and no less accurate format in its place */
  IDELTA_VERDICT_UNFIT = 4     /* it cannot hold this D, whose entries are not finite or whose factors overflow */
} idelta_verdict;

/* How format BF16 is multiplied. Values are frozen. */
typedef enum idelta_bf16_product {
  IDELTA_BF16_PRODUCT_AUTO = 0,    /* the faster, by the CPU's features alone, so that a machine always chooses alike:
                                      AMX rounds x; AVX-512 does on CPUs that have AVX512_BF16 and no AMX tiles (those
                                      with tiles run vdpbf16ps at half speed); others widen */
  IDELTA_BF16_PRODUCT_WIDENED = 1, /* D widened to fp32 in registers, x as it is: the bits of F32 on the rounded D */
  IDELTA_BF16_PRODUCT_ROUNDED = 2  /* x rounded to bf16 as well; its part of a x stays fp32 */
} idelta_bf16_product;

/* The directions a packed delta serves: a bit mask. Each keeps a copy of D in its own order. */
typedef enum idelta_passes {
  IDELTA_PASS_FORWARD = 1,
  IDELTA_PASS_BACKWARD_DATA = 2,
  IDELTA_PASS_BOTH = 3
} idelta_passes;

/* act' is computed from y, so that z need not be kept. At a kink the derivative is that of the flat side
 * (hard_tanh at +-1, relu at 0: 0; leaky_relu at 0: slope). NaN stays NaN. */
typedef enum idelta_activation_kind {
  IDELTA_ACTIVATION_IDENTITY = 0,
  IDELTA_ACTIVATION_RELU = 1,
  IDELTA_ACTIVATION_LEAKY_RELU = 2, /* z < 0 ? slope z : z,  0 < slope < 1 */
  IDELTA_ACTIVATION_HARD_TANH = 3,  /* min(1, max(-1, z)) */
  IDELTA_ACTIVATION_TANH = 4
} idelta_activation_kind;

typedef struct idelta_activation {
  idelta_activation_kind kind;
  float slope; /* leaky_relu only */
} idelta_activation;

/* How an n x n matrix of parameters lies. Values are frozen. */
typedef enum idelta_order {
  IDELTA_ORDER_ROWS = 0,  /* row after row, as everywhere else */
  IDELTA_ORDER_PANELS = 1 /* as a delta in fp32 packs it: the first nr columns of all rows, then the next nr */
} idelta_order;

/* Values are frozen. g is the gradient; decay pulls D towards 0 (W towards a I) and leaves the bias alone. */
typedef enum idelta_optimizer_kind {
  IDELTA_OPTIMIZER_SGD = 0,      /* D -= lr (g + decay D) */
  IDELTA_OPTIMIZER_MOMENTUM = 1, /* g += decay D;  v = momentum v + g;  D -= lr v */
  IDELTA_OPTIMIZER_NESTEROV = 2, /* g += decay D;  v = momentum v + g;  D -= lr (g + momentum v) */
  IDELTA_OPTIMIZER_ADAMW =
      3 /* Loshchilov & Hutter 2019, decay decoupled: D -= lr (decay D + mhat / (sqrt(vhat) + eps)) */
} idelta_optimizer_kind;

typedef struct idelta_optimizer {
  size_t struct_size;
  idelta_optimizer_kind kind;
  float learning_rate;
  float momentum; /* momentum and Nesterov; AdamW's beta1 */
  float beta2;    /* AdamW */
  float epsilon;  /* AdamW */
  float weight_decay;
  int64_t step; /* AdamW: 1 for the first update */
} idelta_optimizer;
#define IDELTA_OPTIMIZER_INIT \
  { sizeof(idelta_optimizer), IDELTA_OPTIMIZER_SGD, 0.0f, 0.9f, 0.999f, 1e-8f, 0.0f, 1 }

/* ---- Names and checks --------------------------------------------------------------------------------------
 * Of every enumeration of kinds: a kind's name ("unknown ..." for none of ours); the kind of a name, where an unknown
 * one is IDELTA_INVALID_ARGUMENT with a sentence that lists the known ones; and all names, in the order of the values:
 * "identity, relu, leaky_relu, hard_tanh, tanh". Texts last as long as the library. */

/* "auto", "scalar", "avx2", "avx512", "amx": as the environment variable IDELTA_ISA takes them. */
IDELTA_API const char* idelta_isa_name(idelta_isa isa);
IDELTA_API idelta_status idelta_isa_by_name(const char* name, idelta_isa* isa);
IDELTA_API const char* idelta_isa_names(void);

/* "auto", "f32", "bf16x3", "bf16", "low_rank", "int8". */
IDELTA_API const char* idelta_format_name(idelta_format format);
IDELTA_API idelta_status idelta_format_by_name(const char* name, idelta_format* format);
IDELTA_API const char* idelta_format_names(void);

/* "none", "int8". Since 0.2. */
IDELTA_API const char* idelta_tail_name(idelta_tail tail);
IDELTA_API idelta_status idelta_tail_by_name(const char* name, idelta_tail* tail);
IDELTA_API const char* idelta_tail_names(void);

/* "chosen", "slower", "inexact", "replaced", "unfit". Since 0.2. */
IDELTA_API const char* idelta_verdict_name(idelta_verdict verdict);
IDELTA_API idelta_status idelta_verdict_by_name(const char* name, idelta_verdict* verdict);
IDELTA_API const char* idelta_verdict_names(void);

/* "auto", "widened", "rounded": as the environment variable IDELTA_BF16 takes them. */
IDELTA_API const char* idelta_bf16_product_name(idelta_bf16_product product);
IDELTA_API idelta_status idelta_bf16_product_by_name(const char* name, idelta_bf16_product* product);
IDELTA_API const char* idelta_bf16_product_names(void);

/* "identity", "relu", "leaky_relu", "hard_tanh", "tanh". */
IDELTA_API const char* idelta_activation_name(idelta_activation_kind kind);
IDELTA_API idelta_status idelta_activation_by_name(const char* name, idelta_activation_kind* kind);
IDELTA_API const char* idelta_activation_names(void);

/* OK if the passes take it: of a known kind, and leaky_relu with a slope between 0 and 1. */
IDELTA_API idelta_status idelta_activation_check(const idelta_activation* activation);

/* "INVALID_ARGUMENT" for IDELTA_INVALID_ARGUMENT, and so on. */
IDELTA_API const char* idelta_status_name(idelta_status status);

/* Number of state arrays of D's and of the bias' size that an optimiser keeps: SGD 0, momentum and Nesterov 1, AdamW
 * 2. */
IDELTA_API int32_t idelta_optimizer_state_arrays(idelta_optimizer_kind kind);

/* "sgd", "momentum", "nesterov", "adamw". */
IDELTA_API const char* idelta_optimizer_name(idelta_optimizer_kind kind);
IDELTA_API idelta_status idelta_optimizer_by_name(const char* name, idelta_optimizer_kind* kind);
IDELTA_API const char* idelta_optimizer_names(void);

/* OK if idelta_update takes it: of a known kind; learning_rate and weight_decay finite; and as far as the kind uses
 * them, momentum and beta2 in [0, 1), epsilon > 0, step >= 1. */
IDELTA_API idelta_status idelta_optimizer_check(const idelta_optimizer* optimizer);

/* OK if x^T dz can be multiplied in this format: AUTO, F32, BF16X3, BF16. */
IDELTA_API idelta_status idelta_gradient_format_check(idelta_format format);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_KINDS_H */
