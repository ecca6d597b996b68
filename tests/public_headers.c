/* What public_headers.cmake compiles with every warning, as C and as C++: the installed headers and each _INIT macro.
 */
#ifdef __cplusplus
#include <idelta/idelta.hpp>
#include <idelta/nn.hpp>
#endif
#include <idelta/idelta.h>

extern const idelta_context_options context_options;
extern const idelta_delta_options delta_options;
extern const idelta_delta_info_t delta_info;
extern const idelta_low_rank_proof low_rank_proof;
extern const idelta_forward_args forward_args;
extern const idelta_backward_data_args backward_data_args;
extern const idelta_backward_weights_args backward_weights_args;
extern const idelta_update_args update_args;
extern const idelta_optimizer optimizer;

const idelta_context_options context_options = IDELTA_CONTEXT_OPTIONS_INIT;
const idelta_delta_options delta_options = IDELTA_DELTA_OPTIONS_INIT;
const idelta_delta_info_t delta_info = IDELTA_DELTA_INFO_INIT;
const idelta_low_rank_proof low_rank_proof = IDELTA_LOW_RANK_PROOF_INIT;
const idelta_forward_args forward_args = IDELTA_FORWARD_ARGS_INIT;
const idelta_backward_data_args backward_data_args = IDELTA_BACKWARD_DATA_ARGS_INIT;
const idelta_backward_weights_args backward_weights_args = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
const idelta_update_args update_args = IDELTA_UPDATE_ARGS_INIT;
const idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;

#ifdef __cplusplus
/* Whoever names one member of a struct is not warned of the others. */
extern void name_one_member_of_each(idelta::Delta& delta);
void name_one_member_of_each(idelta::Delta& delta) {
  delta.forward({.m = 1});
  delta.backward_data({.m = 1});
  delta.update({.m = 1});
  idelta::backward_weights(delta.context(), {.m = 1});
  const idelta::nn::NetworkOptions network = {.layers = 3};
  const idelta::nn::TrainOptions training = {.epochs = 1};
  const idelta::nn::SaveOptions saving = {.drop_dense = true};
  const idelta::nn::CompressOptions compression = {.rank = 1};
  const idelta::nn::PredictOptions prediction = {.guarantee = true};
  static_cast<void>(network), static_cast<void>(training), static_cast<void>(saving);
  static_cast<void>(compression), static_cast<void>(prediction);
}
#endif
