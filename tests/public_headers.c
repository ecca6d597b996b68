/* What public_headers.cmake compiles with every warning, as C and as C++: the installed headers and each _INIT macro.
 */
#ifdef __cplusplus
#include <idelta/idelta.hpp>
#include <idelta/nn.hpp>
#endif
#include <idelta/idelta.h>
#include <idelta/nn.h>

extern const idelta_context_options context_options;
extern const idelta_delta_options delta_options;
extern const idelta_delta_info_t delta_info;
extern const idelta_low_rank_proof low_rank_proof;
extern const idelta_forward_args forward_args;
extern const idelta_backward_data_args backward_data_args;
extern const idelta_backward_weights_args backward_weights_args;
extern const idelta_update_args update_args;
extern const idelta_optimizer optimizer;
extern const idelta_dataset_args nn_dataset_args;
extern const idelta_load_options nn_load_options;
extern const idelta_dataset_info_t nn_dataset_info_t;
extern const idelta_network_options nn_network_options;
extern const idelta_save_options nn_save_options;
extern const idelta_network_info_t nn_network_info_t;
extern const idelta_train_options nn_train_options;
extern const idelta_progress nn_progress;
extern const idelta_evaluation nn_evaluation;
extern const idelta_read_outs nn_read_outs;
extern const idelta_decompose_args nn_decompose_args;
extern const idelta_class_maps_args nn_class_maps_args;
extern const idelta_weight_geometry nn_weight_geometry;
extern const idelta_feature_geometry nn_feature_geometry;
extern const idelta_lesions nn_lesions;
extern const idelta_probes nn_probes;
extern const idelta_roles nn_roles;
extern const idelta_considered nn_considered;
extern const idelta_compress_options nn_compress_options;
extern const idelta_form_info_t nn_form_info_t;
extern const idelta_predict_args nn_predict_args;

const idelta_context_options context_options = IDELTA_CONTEXT_OPTIONS_INIT;
const idelta_delta_options delta_options = IDELTA_DELTA_OPTIONS_INIT;
const idelta_delta_info_t delta_info = IDELTA_DELTA_INFO_INIT;
const idelta_low_rank_proof low_rank_proof = IDELTA_LOW_RANK_PROOF_INIT;
const idelta_forward_args forward_args = IDELTA_FORWARD_ARGS_INIT;
const idelta_backward_data_args backward_data_args = IDELTA_BACKWARD_DATA_ARGS_INIT;
const idelta_backward_weights_args backward_weights_args = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
const idelta_update_args update_args = IDELTA_UPDATE_ARGS_INIT;
const idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
const idelta_dataset_args nn_dataset_args = IDELTA_DATASET_ARGS_INIT;
const idelta_load_options nn_load_options = IDELTA_LOAD_OPTIONS_INIT;
const idelta_dataset_info_t nn_dataset_info_t = IDELTA_DATASET_INFO_INIT;
const idelta_network_options nn_network_options = IDELTA_NETWORK_OPTIONS_INIT;
const idelta_save_options nn_save_options = IDELTA_SAVE_OPTIONS_INIT;
const idelta_network_info_t nn_network_info_t = IDELTA_NETWORK_INFO_INIT;
const idelta_train_options nn_train_options = IDELTA_TRAIN_OPTIONS_INIT;
const idelta_progress nn_progress = IDELTA_PROGRESS_INIT;
const idelta_evaluation nn_evaluation = IDELTA_EVALUATION_INIT;
const idelta_read_outs nn_read_outs = IDELTA_READ_OUTS_INIT;
const idelta_decompose_args nn_decompose_args = IDELTA_DECOMPOSE_ARGS_INIT;
const idelta_class_maps_args nn_class_maps_args = IDELTA_CLASS_MAPS_ARGS_INIT;
const idelta_weight_geometry nn_weight_geometry = IDELTA_WEIGHT_GEOMETRY_INIT;
const idelta_feature_geometry nn_feature_geometry = IDELTA_FEATURE_GEOMETRY_INIT;
const idelta_lesions nn_lesions = IDELTA_LESIONS_INIT;
const idelta_probes nn_probes = IDELTA_PROBES_INIT;
const idelta_roles nn_roles = IDELTA_ROLES_INIT;
const idelta_considered nn_considered = IDELTA_CONSIDERED_INIT;
const idelta_compress_options nn_compress_options = IDELTA_COMPRESS_OPTIONS_INIT;
const idelta_form_info_t nn_form_info_t = IDELTA_FORM_INFO_INIT;
const idelta_predict_args nn_predict_args = IDELTA_PREDICT_ARGS_INIT;

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
