/* Networks and model files from C. Part of idelta/nn.h, which has the conventions. */
#ifndef IDELTA_NN_NETWORK_H
#define IDELTA_NN_NETWORK_H

#include "idelta/nn/data.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idelta_network_options {
  size_t struct_size;
  int64_t layers;
  int64_t height, width, classes; /* n = height * width + classes */
  float identity_scale;           /* a */
  idelta_activation activation;   /* of all layers but the last */
  float class_padding;
  /* What the training set is made of: the network computes with none of it, model files keep it. Each may be null. */
  const char* const* feature_names; /* height * width */
  const char* const* class_names;   /* classes */
  const char* label_name;
  const double* offsets; /* height * width each: (value - offset) * factor was done to each feature */
  const double* factors;
} idelta_network_options;
#define IDELTA_NETWORK_OPTIONS_INIT                                                                               \
  {                                                                                                               \
    sizeof(idelta_network_options), 10, 28, 28, 10, 1.0f, {IDELTA_ACTIVATION_LEAKY_RELU, 0.1f}, 0.0f, NULL, NULL, \
        NULL, NULL, NULL                                                                                          \
  }

/* Fills in what a network is told of the set that it learns from: height, width, classes, names and scaling, as `idelta
 * train` does; layers, activation, padding and scale stay. Pointers are the set's. A set of IDX or .npy files counts
 * its own labels, so give `classes` the larger of training and test set where they differ. */
IDELTA_API idelta_status idelta_network_options_for(const idelta_dataset* train, idelta_network_options* options);

/* The identity: every D and b is zero. options may be null; texts and arrays are copied. The context must outlive the
 * network. */
IDELTA_API idelta_status idelta_network_create(const idelta_context* context, const idelta_network_options* options,
                                               idelta_network** network);

typedef struct idelta_save_options {
  size_t struct_size;
  /* Not 0: leaves out every D that no form multiplies. The file is then much smaller, and gives labels without a
   * guarantee. Needs forms. */
  int32_t drop_dense;
} idelta_save_options;
#define IDELTA_SAVE_OPTIONS_INIT \
  { sizeof(idelta_save_options), 0 }

/* A model file: safetensors with the configuration in its metadata, the same bytes as the program's. It appears whole
 * or not at all: a failed save leaves an older file as it was. options may be null. */
IDELTA_API idelta_status idelta_network_save(const idelta_network* network, const char* path,
                                             const idelta_save_options* options);
IDELTA_API idelta_status idelta_network_load(const idelta_context* context, const char* path, idelta_network** network);

/* The bytes of a model file, in memory. */
typedef struct idelta_bytes idelta_bytes;
IDELTA_API idelta_status idelta_network_to_bytes(const idelta_network* network, const idelta_save_options* options,
                                                 idelta_bytes** bytes);
IDELTA_API const void* idelta_bytes_data(const idelta_bytes* bytes);
IDELTA_API size_t idelta_bytes_size(const idelta_bytes* bytes);
IDELTA_API void idelta_bytes_destroy(idelta_bytes* bytes);
/* bytes: `size` of them, read only during the call. FILE_ERROR for bytes of no model. */
IDELTA_API idelta_status idelta_network_from_bytes(const idelta_context* context, const void* bytes, size_t size,
                                                   idelta_network** network);

/* What a network is. Pointers last as long as the network. */
typedef struct idelta_network_info_t {
  size_t struct_size;
  int64_t layers, height, width, classes;
  int64_t n; /* height * width + classes */
  float identity_scale;
  idelta_activation activation;
  float class_padding;
  const char* const* feature_names; /* height * width, or null */
  const char* const* class_names;   /* classes, or null */
  const char* label_name;           /* "" if not known */
  const double* offsets;            /* height * width, or null */
  const double* factors;
  idelta_format compute; /* in which x D is multiplied now */
  int32_t has_dense;     /* whether D is there, not only the factors of a file that dropped it */
  int64_t forms;         /* cheaper ones, besides the dense one */
} idelta_network_info_t;
#define IDELTA_NETWORK_INFO_INIT                                                                                    \
  {                                                                                                                 \
    sizeof(idelta_network_info_t), 0, 0, 0, 0, 0, 0.0f, {IDELTA_ACTIVATION_IDENTITY, 0.0f}, 0.0f, NULL, NULL, NULL, \
        NULL, NULL, IDELTA_FORMAT_AUTO, 0, 0                                                                        \
  }
IDELTA_API idelta_status idelta_network_info(const idelta_network* network, idelta_network_info_t* info);

/* What model files record of a network, in alphabetical order of the names: its options; and once it was trained
 * "compute", "bf16_product" (where it was bf16), "training." and each train option, "training.images",
 * "training.data_hash" and "training.steps". */
typedef void (*idelta_setting_seen)(void* user, const char* name, const char* value);
IDELTA_API idelta_status idelta_network_settings(const idelta_network* network, idelta_setting_seen seen, void* user);

/* 16 hexadecimal digits of D and b of all layers, and NUL. */
IDELTA_API idelta_status idelta_network_hash(const idelta_network* network, char digits[17]);

/* Sentences about settings that work but disappoint, e.g. ReLU with padding 0. */
IDELTA_API idelta_status idelta_network_warnings(const idelta_network* network, idelta_text_seen seen, void* user);

/* D (n x n, in x out, row stride ldd >= n) and b (n) of layer 0 .. L-1; either may be null. D is a copy in fp32,
 * whatever format computes; of a network that dropped D it is what its forms hold of it. */
IDELTA_API idelta_status idelta_network_layer(const idelta_network* network, int64_t layer, float* D, int64_t ldd,
                                              float* bias);
/* Replaces both of one layer; finite. Forms, which were made of the old ones, are gone. */
IDELTA_API idelta_status idelta_network_set_layer(idelta_network* network, int64_t layer, const float* D, int64_t ldd,
                                                  const float* bias);

/* The format in which x D is computed from now on; rank is for LOW_RANK, 0 in others. D itself does not change. */
IDELTA_API idelta_status idelta_network_set_compute(idelta_network* network, idelta_format format, int64_t rank);

/* Scales rows x P images as the network's training images were: (value - offset) * factor, or copies them if it has no
 * scaling. scaled may be images, with the same stride. NOT_FINITE, with the row, where a result overflows; the rows
 * before it are done. */
IDELTA_API idelta_status idelta_network_scale(const idelta_network* network, int64_t rows, const float* images,
                                              int64_t ld, float* scaled, int64_t ld_scaled);

IDELTA_API void idelta_network_destroy(idelta_network* network);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_NETWORK_H */
