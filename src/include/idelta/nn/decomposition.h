/* What every layer contributes, from C: to a set, to an image, to a neuron. Part of idelta/nn.h, which has the
 * conventions.
 *
 *   z^l = a h^{l-1} + h^{l-1} D^l + b^l,   h^l = act(z^l),   h^0 = [x, padding]          width n = P + C, L layers
 *   contribution       Delta^l = z^l - a h^{l-1}, as the kernel's accumulator held it
 *   activation change  kappa^l = act(z^l) - z^l
 *   step               s^l = h^l - h^{l-1} = (a - 1) h^{l-1} + Delta^l + kappa^l,        h^0 + sum_l s^l = h^L
 *   contribution map   h^l[0:P] - x, one an image
 *
 * All calls work on networks that have dropped D: it is then what their forms hold of it. NOT_FINITE where an image's
 * numbers overflow, with the layer and the image. */
#ifndef IDELTA_NN_DECOMPOSITION_H
#define IDELTA_NN_DECOMPOSITION_H

#include "idelta/nn/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where idelta_network_evaluate writes: each array an entry a layer, h^1 .. h^L; null: not wanted. Means over the
 * images but where said; logarithms are natural. */
typedef struct idelta_evaluation {
  size_t struct_size;
  int64_t batch;                  /* given */
  double* accuracy;               /* of argmax over the class dimensions of h^l, the lowest of equals */
  double* cross_entropy;          /* -log class likelihood of the label */
  double* entropy;                /* of the class likelihood */
  double* margin;                 /* class dimension of the label less the largest of the others */
  double* kl_to_final;            /* KL(class likelihood of h^L || that of h^l) */
  double* direct_contribution;    /* step of the label's class dimension: the logit is the padding and all of these */
  double* contribution_norm;      /* ||Delta^l||_2 */
  double* activation_change_norm; /* ||kappa^l||_2 */
  double* step_norm;              /* ||s^l||_2 */
  double* spectral_norm;          /* ||D^l||_2 */
  double* frobenius_ratio;        /* ||D^l||_F / sqrt(n) */
  int64_t* decided;               /* images whose prediction is the final one from layer l on, and not before */
  /* Residuals of what adds up, the largest of all images, in units in the last place: idelta/nn/decomposition.hpp. */
  double* completeness_ulp;       /* |h^0 + sum s - h^l| */
  double* completeness_bound_ulp; /* what roundings alone may make of it */
  double* layer_residual_ulp;     /* of layer l alone: |h^{l-1} + s^l - h^l| */
  double* layer_residual_share;   /* the same over its own bound: 1 or less, if layer l adds up */
  double* input_accuracy;         /* one number: of h^0, chance by construction */
  double* telescoping_error;      /* one number */
} idelta_evaluation;
#define IDELTA_EVALUATION_INIT                                                                                        \
  {                                                                                                                   \
    sizeof(idelta_evaluation), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
        NULL, NULL, NULL, NULL                                                                                        \
  }
IDELTA_API idelta_status idelta_network_evaluate(const idelta_network* network, const idelta_dataset* data,
                                                 const idelta_evaluation* to);

/* The last layer's accuracy alone, without the cost of the rest. */
IDELTA_API idelta_status idelta_network_accuracy(const idelta_network* network, const idelta_dataset* data,
                                                 int64_t batch, double* accuracy);

/* What every layer says of each image. The set's labels are not read. */
typedef struct idelta_read_outs {
  size_t struct_size;
  int64_t batch;
  int32_t* predictions;       /* count x L: of h^1 .. h^L */
  int32_t* first_final_layer; /* count: 1 .. L, from where on the prediction is the final one */
  float* final_margin;        /* count: of the logits, the predicted class less the next */
  float* final_likelihood;    /* count: of the predicted class */
} idelta_read_outs;
#define IDELTA_READ_OUTS_INIT \
  { sizeof(idelta_read_outs), 0, NULL, NULL, NULL, NULL }
IDELTA_API idelta_status idelta_network_read_outs(const idelta_network* network, const idelta_dataset* data,
                                                  const idelta_read_outs* to);

/* Images in, and what is made of them out. Matrices of L layers lie one after another, each of `rows` rows. After an
 * error the outputs hold anything. */
typedef struct idelta_decompose_args {
  size_t struct_size;
  int64_t rows;
  const float* images; /* rows x P, scaled as the network's training images were */
  int64_t ld;
  int64_t batch;
  float* contribution_maps;  /* L x rows x P */
  float* contributions;      /* L x rows x n */
  float* activation_changes; /* L x rows x n */
  float* steps;              /* L x rows x n: each rounded once */
  float* class_likelihoods;  /* L x rows x C */
  int32_t* predictions;      /* L x rows */
  float* features;           /* L x rows x n: h^1 .. h^L */
  float* logits;             /* rows x C: the class dimensions of h^L */
  float* final_likelihoods;  /* rows x C: their softmax, the last of class_likelihoods */
} idelta_decompose_args;
#define IDELTA_DECOMPOSE_ARGS_INIT \
  { sizeof(idelta_decompose_args), 0, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
IDELTA_API idelta_status idelta_network_decompose(const idelta_network* network, const idelta_decompose_args* args);

/* Which inputs a logit is made of, by exact propagation through the image's active pattern, of class classes[i] for
 * row i:  logit = sum_p map_p + rest,  map_p = J_cp x_p  (idelta/nn/decomposition.hpp). */
typedef struct idelta_class_maps_args {
  size_t struct_size;
  int64_t rows;
  const float* images; /* rows x P */
  int64_t ld;
  const int32_t* classes; /* rows */
  int64_t batch;
  float* maps;   /* rows x P */
  double* rests; /* rows */
  float* logits; /* rows: of the class */
} idelta_class_maps_args;
#define IDELTA_CLASS_MAPS_ARGS_INIT \
  { sizeof(idelta_class_maps_args), 0, NULL, 0, NULL, 0, NULL, NULL, NULL }
IDELTA_API idelta_status idelta_network_class_maps(const idelta_network* network, const idelta_class_maps_args* args);

/* Delta_i = sum_j D_ji h_j + b_i of neuron i of layer 0 .. L-1 for one image (P entries). terms: n, D_ji h_j exactly;
 * bias and contribution (as the kernel's accumulator held it): one number each. Each output may be null. */
IDELTA_API idelta_status idelta_network_neuron(const idelta_network* network, const float* image, int64_t layer,
                                               int64_t neuron, double* terms, double* bias, float* contribution);

/* Of each layer the `most` (1 .. n) inputs j of the largest mean |D_jc h_j|, c the label's class dimension, falling.
 * neurons, mean_magnitude, mean: L x most each; any may be null. */
IDELTA_API idelta_status idelta_network_top_neurons(const idelta_network* network, const idelta_dataset* data,
                                                    int64_t most, int64_t batch, int64_t* neurons,
                                                    double* mean_magnitude, double* mean);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_DECOMPOSITION_H */
