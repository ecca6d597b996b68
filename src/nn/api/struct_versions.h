// The structs of nn.h: for older callers and for refusals (src/core/api/struct_versions.h).
#ifndef IDELTA_NN_API_STRUCT_VERSIONS_H
#define IDELTA_NN_API_STRUCT_VERSIONS_H

#include "idelta/nn.h"
#include "src/core/api/struct_versions.h"

namespace idelta::core {

template <>
inline constexpr Versions<idelta_dataset_args> versions_of<idelta_dataset_args>{
    IDELTA_DATASET_ARGS_INIT, "IDELTA_DATASET_ARGS_INIT", {}, {128}};
template <>
inline constexpr Versions<idelta_load_options> versions_of<idelta_load_options>{
    IDELTA_LOAD_OPTIONS_INIT, "IDELTA_LOAD_OPTIONS_INIT", {}, {48}};
template <>
inline constexpr Versions<idelta_dataset_info_t> versions_of<idelta_dataset_info_t>{
    IDELTA_DATASET_INFO_INIT, "IDELTA_DATASET_INFO_INIT", {}, {112}};
template <>
inline constexpr Versions<idelta_network_options> versions_of<idelta_network_options>{
    IDELTA_NETWORK_OPTIONS_INIT, "IDELTA_NETWORK_OPTIONS_INIT", {}, {96}};
template <>
inline constexpr Versions<idelta_save_options> versions_of<idelta_save_options>{
    IDELTA_SAVE_OPTIONS_INIT, "IDELTA_SAVE_OPTIONS_INIT", {}, {16}};
template <>
inline constexpr Versions<idelta_network_info_t> versions_of<idelta_network_info_t>{
    IDELTA_NETWORK_INFO_INIT, "IDELTA_NETWORK_INFO_INIT", {}, {120}};
template <>
inline constexpr Versions<idelta_train_options> versions_of<idelta_train_options>{
    IDELTA_TRAIN_OPTIONS_INIT, "IDELTA_TRAIN_OPTIONS_INIT", {}, {80}};
template <>
inline constexpr Versions<idelta_progress> versions_of<idelta_progress>{
    IDELTA_PROGRESS_INIT, "IDELTA_PROGRESS_INIT", {}, {80}};
template <>
inline constexpr Versions<idelta_evaluation> versions_of<idelta_evaluation>{
    IDELTA_EVALUATION_INIT, "IDELTA_EVALUATION_INIT", {}, {160}};
template <>
inline constexpr Versions<idelta_read_outs> versions_of<idelta_read_outs>{
    IDELTA_READ_OUTS_INIT, "IDELTA_READ_OUTS_INIT", {}, {48}};
template <>
inline constexpr Versions<idelta_decompose_args> versions_of<idelta_decompose_args>{
    IDELTA_DECOMPOSE_ARGS_INIT, "IDELTA_DECOMPOSE_ARGS_INIT", {}, {112}};
template <>
inline constexpr Versions<idelta_class_maps_args> versions_of<idelta_class_maps_args>{
    IDELTA_CLASS_MAPS_ARGS_INIT, "IDELTA_CLASS_MAPS_ARGS_INIT", {}, {72}};
template <>
inline constexpr Versions<idelta_weight_geometry> versions_of<idelta_weight_geometry>{
    IDELTA_WEIGHT_GEOMETRY_INIT, "IDELTA_WEIGHT_GEOMETRY_INIT", {}, {96}};
template <>
inline constexpr Versions<idelta_feature_geometry> versions_of<idelta_feature_geometry>{
    IDELTA_FEATURE_GEOMETRY_INIT, "IDELTA_FEATURE_GEOMETRY_INIT", {}, {40}};
template <>
inline constexpr Versions<idelta_lesions> versions_of<idelta_lesions>{
    IDELTA_LESIONS_INIT, "IDELTA_LESIONS_INIT", {}, {80}};
template <>
inline constexpr Versions<idelta_probes> versions_of<idelta_probes>{IDELTA_PROBES_INIT, "IDELTA_PROBES_INIT", {}, {72}};
template <>
inline constexpr Versions<idelta_roles> versions_of<idelta_roles>{IDELTA_ROLES_INIT, "IDELTA_ROLES_INIT", {}, {72}};
template <>
inline constexpr Versions<idelta_considered> versions_of<idelta_considered>{
    IDELTA_CONSIDERED_INIT, "IDELTA_CONSIDERED_INIT", {}, {48}};
template <>
inline constexpr Versions<idelta_compress_options> versions_of<idelta_compress_options>{
    IDELTA_COMPRESS_OPTIONS_INIT, "IDELTA_COMPRESS_OPTIONS_INIT", {}, {72}};
template <>
inline constexpr Versions<idelta_form_info_t> versions_of<idelta_form_info_t>{
    IDELTA_FORM_INFO_INIT, "IDELTA_FORM_INFO_INIT", {}, {48}};
template <>
inline constexpr Versions<idelta_predict_args> versions_of<idelta_predict_args>{
    IDELTA_PREDICT_ARGS_INIT, "IDELTA_PREDICT_ARGS_INIT", {}, {112}};

// Those that only the library makes are in no Given, which would check it.
static_assert(versions_of<idelta_considered>.had_sizes());

}  // namespace idelta::core

#endif  // IDELTA_NN_API_STRUCT_VERSIONS_H
