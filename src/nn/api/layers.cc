// The C ABI: geometry and roles of layers.
#include <algorithm>

#include "../error.h"
#include "handles.h"
#include "reports.h"

using namespace idelta::nn;
using namespace idelta::nn::api;

namespace {

constexpr Column<idelta_weight_geometry, WeightReport, double> kWeightColumns[] = {
    {&idelta_weight_geometry::spectral_norm, &WeightReport::spectral_norm},
    {&idelta_weight_geometry::frobenius_ratio, &WeightReport::frobenius_ratio},
    {&idelta_weight_geometry::cosine_to_identity, &WeightReport::cosine_to_identity},
    {&idelta_weight_geometry::effective_rank, &WeightReport::effective_rank},
};

constexpr Column<idelta_feature_geometry, FeatureReport, double> kFeatureColumns[] = {
    {&idelta_feature_geometry::effective_rank, &FeatureReport::effective_rank},
    {&idelta_feature_geometry::separation, &FeatureReport::separation},
    {&idelta_feature_geometry::nearest_centre_accuracy, &FeatureReport::nearest_centre_accuracy},
};

constexpr Column<idelta_lesions, Lesion, double> kLesionColumns[] = {
    {&idelta_lesions::accuracy, &Lesion::accuracy},
    {&idelta_lesions::accuracy_change, &Lesion::accuracy_change},
    {&idelta_lesions::logit_change, &Lesion::logit_change},
    {&idelta_lesions::centred_logit_change, &Lesion::centred_logit_change},
    {&idelta_lesions::direct_contribution, &Lesion::direct_contribution},
    {&idelta_lesions::centred_contribution, &Lesion::centred_contribution},
};
constexpr Column<idelta_lesions, Lesion, int64_t> kLesionCounts[] = {
    {&idelta_lesions::gained, &Lesion::gained},
    {&idelta_lesions::lost, &Lesion::lost},
};

constexpr Column<idelta_probes, ProbeReport, double> kProbeColumns[] = {
    {&idelta_probes::accuracy, &ProbeReport::accuracy},
    {&idelta_probes::readout, &ProbeReport::readout},
};
constexpr Column<idelta_probes, ProbeReport, int64_t> kProbeCounts[] = {
    {&idelta_probes::probe_gained, &ProbeReport::probe_gained},
    {&idelta_probes::probe_lost, &ProbeReport::probe_lost},
    {&idelta_probes::readout_gained, &ProbeReport::readout_gained},
    {&idelta_probes::readout_lost, &ProbeReport::readout_lost},
};

constexpr Column<idelta_roles, RoleReport, double> kRoleColumns[] = {
    {&idelta_roles::probe_rise, &RoleReport::probe_rise},
    {&idelta_roles::readout_rise, &RoleReport::readout_rise},
    {&idelta_roles::probe_share, &RoleReport::probe_share},
    {&idelta_roles::readout_share, &RoleReport::readout_share},
};

// In the order of idelta_role.
constexpr Role kRoles[] = {Role::kExtracts, Role::kMixed, Role::kClassifies, Role::kCannotTell};

}  // namespace

extern "C" {

idelta_status idelta_network_weight_geometry(const idelta_network* network, const idelta_weight_geometry* to) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Given given(to, "to");
    const idelta_weight_geometry& out = *given;
    if (out.vectors < 0 || out.vectors > net.n()) {
      invalid(sentence("vectors = ", out.vectors, " is not in 0 .. n = ", net.n(), "; 0 takes 10"));
    }
    constexpr int64_t kUsual = 10;
    const auto seen = [&](int64_t done, int64_t of) {
      if (out.seen) out.seen(out.user, done, of);
    };
    const WeightGeometry found = weight_geometry(net, out.vectors == 0 ? std::min(kUsual, net.n()) : out.vectors, seen);
    write_columns(kWeightColumns, found.layers, out);
    for (size_t l = 0; out.singular_values && l < found.layers.size(); ++l) {
      const std::vector<float>& values = found.layers[l].singular_values;
      copy_to(values, out.singular_values + l * values.size());
    }
    copy_to(found.alignment.left, out.left_alignment);
    copy_to(found.alignment.right, out.right_alignment);
    if (out.random_alignment) *out.random_alignment = found.alignment.random;
  });
}

idelta_status idelta_network_feature_geometry(const idelta_network* network, const idelta_dataset* data,
                                              const idelta_dataset* sample, const idelta_feature_geometry* to) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Dataset& set = checked_data(data);
    const Given given(to, "to");
    const idelta_feature_geometry& out = *given;
    write_columns(kFeatureColumns, feature_reports(net, set, sample ? *sample->set : set, batch_of(out.batch)), out);
  });
}

idelta_status idelta_network_lesions(const idelta_network* network, const idelta_dataset* data,
                                     const idelta_lesions* to) {
  return guarded(__func__, [&] {
    const Given given(to, "to");
    const idelta_lesions& out = *given;
    const std::vector<Lesion> found = lesions(checked_network(network), checked_data(data), batch_of(out.batch));
    write_columns(kLesionColumns, found, out);
    write_columns(kLesionCounts, found, out);
  });
}

idelta_status idelta_network_probes(const idelta_network* network, const idelta_dataset* train,
                                    const idelta_dataset* test, const idelta_probes* to) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Dataset &fitted_on = checked_data(train, "train"), &tested_on = checked_data(test, "test");
    const Given given(to, "to");
    const idelta_probes& out = *given;
    ProbeOptions options{.batch = batch_of(out.batch)};
    if (out.regularisation != 0) options.regularisation = out.regularisation;
    const Probes found = probe(net, fitted_on, tested_on, options);
    std::vector<ProbeReport> all = {found.input};
    all.insert(all.end(), found.layers.begin(), found.layers.end());
    write_columns(kProbeColumns, all, out);
    write_columns(kProbeCounts, all, out);
  });
}

const char* idelta_role_name(idelta_role role) {
  const auto index = static_cast<size_t>(role);  // a negative one becomes large
  return index < std::size(kRoles) ? role_name(kRoles[index]) : "unknown role";
}

const char* idelta_role_rule(void) {
  try {
    static const std::string rule = role_rule();
    return rule.c_str();
  } catch (const std::bad_alloc&) {
    return "";
  }
}

idelta_status idelta_network_roles(const idelta_network* network, const idelta_dataset* train,
                                   const idelta_dataset* test, const idelta_roles* to) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Dataset &fitted_on = checked_data(train, "train"), &tested_on = checked_data(test, "test");
    const Given given(to, "to");
    const idelta_roles& out = *given;
    const int64_t batch = batch_of(out.batch);
    const Evidence seed = evidence(evaluate(net, tested_on, {.batch = batch, .norms = false}),
                                   probe(net, fitted_on, tested_on, {.batch = batch}), lesions(net, tested_on, batch));
    const std::vector<RoleReport> found = roles({&seed, 1});
    write_columns(kRoleColumns, found, out);
    for (size_t l = 0; l < found.size(); ++l) {
      if (out.role) {
        out.role[l] = static_cast<idelta_role>(std::find(kRoles, std::end(kRoles), found[l].role) - kRoles);
      }
      if (out.sentence) out.sentence(out.user, found[l].sentence.c_str());
    }
  });
}

}  // extern "C"
