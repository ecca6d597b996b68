/* Geometry of weights and features, from C. Part of idelta/nn.h, which has the conventions; idelta/nn/geometry.hpp has
 * the definitions. */
#ifndef IDELTA_NN_GEOMETRY_H
#define IDELTA_NN_GEOMETRY_H

#include "idelta/nn/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* done of `of` parts of long work are done. */
typedef void (*idelta_work_seen)(void* user, int64_t done, int64_t of);

/* How near the identity the layers are. Arrays have an entry a layer; null: not wanted. */
typedef struct idelta_weight_geometry {
  size_t struct_size;
  int64_t vectors;            /* singular vectors that are compared, 1 .. n; 0: 10, or n */
  double* spectral_norm;      /* ||D||_2 */
  double* frobenius_ratio;    /* ||D||_F / sqrt(n) */
  double* cosine_to_identity; /* <W, I> / (||W||_F ||I||_F) */
  double* effective_rank;     /* exp of the entropy of sigma_i^2 / sum sigma^2 */
  float* singular_values;     /* L x n: of D, falling */
  double* left_alignment;     /* L x L: ||U_i^T U_j||_F / sqrt(r), of the input side */
  double* right_alignment;    /* L x L: of the output side */
  double* random_alignment;   /* one number: what two random spaces have */
  idelta_work_seen seen;      /* after each layer; or null */
  void* user;
} idelta_weight_geometry;
#define IDELTA_WEIGHT_GEOMETRY_INIT \
  { sizeof(idelta_weight_geometry), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* One singular value decomposition a layer: about a second at n = 794. */
IDELTA_API idelta_status idelta_network_weight_geometry(const idelta_network* network,
                                                        const idelta_weight_geometry* to);

/* How the classes lie in the features h^0 .. h^L: L + 1 entries each. */
typedef struct idelta_feature_geometry {
  size_t struct_size;
  int64_t batch;
  double* effective_rank;          /* of the covariance */
  double* separation;              /* Tr(S_w S_b^+) */
  double* nearest_centre_accuracy; /* of the class whose mean in `sample` is nearest */
} idelta_feature_geometry;
#define IDELTA_FEATURE_GEOMETRY_INIT \
  { sizeof(idelta_feature_geometry), 0, NULL, NULL, NULL }
/* sample: where the classes' means are taken, usually of the training set; null: data itself. */
IDELTA_API idelta_status idelta_network_feature_geometry(const idelta_network* network, const idelta_dataset* data,
                                                         const idelta_dataset* sample,
                                                         const idelta_feature_geometry* to);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_GEOMETRY_H */
