/* Data sets from C: labelled images, or rows of named features. Part of idelta/nn.h, which has the conventions. */
#ifndef IDELTA_NN_DATA_H
#define IDELTA_NN_DATA_H

#include "idelta/idelta.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idelta_dataset idelta_dataset;
typedef struct idelta_network idelta_network;

/* Version of libidelta_nn that is running, "major.minor.patch"; that of libidelta is idelta_version(). */
IDELTA_API const char* idelta_nn_version(void);

/* One text of a list, e.g. a warning. user is the caller's own. */
typedef void (*idelta_text_seen)(void* user, const char* text);

/* Values are frozen. */
typedef enum idelta_split { IDELTA_SPLIT_TRAIN = 0, IDELTA_SPLIT_TEST = 1 } idelta_split;

/* The range that each feature of the training images is brought to: (value - offset) * factor, in fp64. Values are
 * frozen. */
typedef enum idelta_scale {
  IDELTA_SCALE_USUAL = 0, /* 0 to 1 for CSV, nothing for the rest, arrays among them */
  IDELTA_SCALE_NONE = 1,
  IDELTA_SCALE_ZERO_TO_ONE = 2,
  IDELTA_SCALE_MINUS_ONE_TO_ONE = 3
} idelta_scale;

/* A data set of the caller's arrays, which are copied. */
typedef struct idelta_dataset_args {
  size_t struct_size;
  const char* name;                 /* shown in errors; null: "arrays". It is not in model files, but in checkpoints */
  int64_t count;                    /* images, at least 1 */
  int64_t height, width;            /* of an image; features: 1 and P */
  int64_t classes;                  /* 2 to 256; 0: the largest label + 1, at least 2 */
  const float* images;              /* count x (height * width), finite */
  int64_t ld;                       /* row stride of images, at least height * width */
  const int32_t* labels;            /* count, each in [0, classes); or null: all 0, for calls that read no labels */
  const char* const* feature_names; /* height * width, or null */
  const char* const* class_names;   /* classes, or null; `classes` must then be given */
  const char* label_name;           /* of the column of labels, or null */
  /* What `images` went through already, height * width each, or both null: kept with the set, and so in model files. */
  const double* offsets;
  const double* factors;
  /* What is to be done to `images`: bring each feature to a range, by the least and greatest of these rows; the set
   * then has that scaling. Not together with offsets or network. */
  idelta_scale scale;
  /* Or not null: apply the scaling of this network, if it has one, as evaluating rows that were not scaled needs. Its
   * height, width and number of classes must be the set's; classes 0 takes them from it. */
  const idelta_network* network;
} idelta_dataset_args;
#define IDELTA_DATASET_ARGS_INIT                                                                                    \
  {                                                                                                                 \
    sizeof(idelta_dataset_args), NULL, 0, 1, 0, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, IDELTA_SCALE_USUAL, \
        NULL                                                                                                        \
  }

/* Errors name the row and the value: a label that is no class, a number that is not finite. */
IDELTA_API idelta_status idelta_dataset_create(const idelta_dataset_args* args, idelta_dataset** dataset);

typedef struct idelta_load_options {
  size_t struct_size;
  int64_t most; /* images of the split, from its first on; 0: all */
  idelta_scale scale;
  const char* label;        /* the column of a CSV file with the labels; null: see src/nn/DATA.md */
  const char* classes_path; /* a text file of class names, one a line; null: the folder's classes.txt, if any */
  /* Not null: the network that is to see the set. Its scaling, its label column and the order of its classes hold in
   * place of what the training split says. */
  const idelta_network* network;
} idelta_load_options;
#define IDELTA_LOAD_OPTIONS_INIT \
  { sizeof(idelta_load_options), 0, IDELTA_SCALE_USUAL, NULL, NULL, NULL }

/* A split of a data set by its name or place, as `idelta train --data` takes it: "fashion-mnist", a folder of IDX, .npy
 * or CSV files, FOLDER/PREFIX, FILE.npz, FILE.csv[.gz]; src/nn/DATA.md says what may be there. options may be null.
 * FILE_ERROR for what is not there or damaged, with file, line and column where there are such. */
IDELTA_API idelta_status idelta_dataset_load(const char* name_or_place, idelta_split split,
                                             const idelta_load_options* options, idelta_dataset** dataset);

/* One pair of IDX files, plain or gz, / 255. most = 0: all. */
IDELTA_API idelta_status idelta_dataset_load_idx(const char* images_path, const char* labels_path, int64_t most,
                                                 idelta_dataset** dataset);

/* The first `count` images of a set, or all if it has fewer. count >= 1. */
IDELTA_API idelta_status idelta_dataset_head(const idelta_dataset* dataset, int64_t count, idelta_dataset** head);

/* What a set is. Pointers last as long as the set. */
typedef struct idelta_dataset_info_t {
  size_t struct_size;
  int64_t count, height, width, classes;
  const float* images; /* count x (height * width), dense, scaled */
  const char* name;
  const char* images_path; /* where it was read; "" if it was made otherwise */
  const char* labels_path;
  const char* label_name;           /* "" if not known; likewise null below */
  const char* const* feature_names; /* height * width */
  const char* const* class_names;   /* classes */
  const double* offsets;            /* height * width: the scaling that `images` went through */
  const double* factors;
} idelta_dataset_info_t;
#define IDELTA_DATASET_INFO_INIT \
  { sizeof(idelta_dataset_info_t), 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
IDELTA_API idelta_status idelta_dataset_info(const idelta_dataset* dataset, idelta_dataset_info_t* info);

/* labels: count. */
IDELTA_API idelta_status idelta_dataset_labels(const idelta_dataset* dataset, int32_t* labels);

/* Sentences about what was done to the set beyond reading it, and about classes, of so many, that it has no image of.
 */
IDELTA_API idelta_status idelta_dataset_warnings(const idelta_dataset* dataset, int64_t classes, idelta_text_seen seen,
                                                 void* user);

IDELTA_API void idelta_dataset_destroy(idelta_dataset* dataset);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_DATA_H */
