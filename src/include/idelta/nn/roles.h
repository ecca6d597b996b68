/* What a layer is for, from C. Part of idelta/nn.h, which has the conventions; idelta/nn/roles.hpp has the definitions.
 */
#ifndef IDELTA_NN_ROLES_H
#define IDELTA_NN_ROLES_H

#include "idelta/nn/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The network without one layer (D = 0, b = 0), for each layer in turn: L entries each. Changes are the lesioned
 * network's value less the whole network's. */
typedef struct idelta_lesions {
  size_t struct_size;
  int64_t batch;
  double* accuracy;
  double* accuracy_change;
  double* logit_change; /* mean change of the true class's logit */
  double* centred_logit_change;
  double* direct_contribution; /* mean step of the true class's dimension, nothing lesioned */
  double* centred_contribution;
  int64_t* gained; /* images that only the lesioned network gets right */
  int64_t* lost;   /* that only the whole one does */
} idelta_lesions;
#define IDELTA_LESIONS_INIT \
  { sizeof(idelta_lesions), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* Costs about L / 2 passes over the set. */
IDELTA_API idelta_status idelta_network_lesions(const idelta_network* network, const idelta_dataset* data,
                                                const idelta_lesions* to);

/* How well the class can be read from h^0 .. h^L by ridge regression fitted on `train`: L + 1 entries each. */
typedef struct idelta_probes {
  size_t struct_size;
  double regularisation; /* 0: 1e-2 */
  int64_t batch;
  double* accuracy; /* of the probe on the test set */
  double* readout;  /* of argmax over the class dimensions of the same h^l */
  int64_t* probe_gained;
  int64_t* probe_lost;
  int64_t* readout_gained;
  int64_t* readout_lost;
} idelta_probes;
#define IDELTA_PROBES_INIT \
  { sizeof(idelta_probes), 0.0, 0, NULL, NULL, NULL, NULL, NULL, NULL }
IDELTA_API idelta_status idelta_network_probes(const idelta_network* network, const idelta_dataset* train,
                                               const idelta_dataset* test, const idelta_probes* to);

/* Values are frozen. */
typedef enum idelta_role {
  IDELTA_ROLE_EXTRACTS = 0,
  IDELTA_ROLE_MIXED = 1,
  IDELTA_ROLE_CLASSIFIES = 2,
  IDELTA_ROLE_CANNOT_TELL = 3
} idelta_role;
/* "extracts", "mixed", "classifies", "cannot tell"; "unknown role". */
IDELTA_API const char* idelta_role_name(idelta_role role);
/* The rule that roles follow, in a few English sentences. */
IDELTA_API const char* idelta_role_rule(void);

/* A role a layer, from this one network: L entries each. */
typedef struct idelta_roles {
  size_t struct_size;
  int64_t batch;
  idelta_role* role;
  double* probe_rise; /* of accuracy, against the layer before */
  double* readout_rise;
  double* probe_share; /* of the sum of all layers that rise */
  double* readout_share;
  idelta_text_seen sentence; /* of each layer in turn: "Layer 3 mainly extracts: ..."; or null */
  void* user;
} idelta_roles;
#define IDELTA_ROLES_INIT \
  { sizeof(idelta_roles), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* Evaluates the network on `test`, lesions it there, and fits probes on `train`. */
IDELTA_API idelta_status idelta_network_roles(const idelta_network* network, const idelta_dataset* train,
                                              const idelta_dataset* test, const idelta_roles* to);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_ROLES_H */
