// Certificates: proved upper bounds of what a packed delta errs by (idelta_delta_info_t.certificate), from the measured
// difference between D and what is stored of it.
#ifndef IDELTA_CORE_CERTIFICATE_H
#define IDELTA_CORE_CERTIFICATE_H

#include <cstdint>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats.h"

namespace idelta::core {

// What a format keeps of D: n x n dense, in x out.
struct StoredDelta {
  int64_t n;
  Arithmetic arithmetic;
  std::vector<float> values;  // D~, what is multiplied
  std::vector<float> low;     // BF16X3: the part of it that x_lo does not meet; else empty
};

// Upper bounds of spectral norms.
struct StoredNorms {
  double values, low;  // of the above
  double error;        // of D - D~
};

// D~ of a format on this context, and its norms.
StoredDelta stored_delta(const idelta_context& context, int64_t n, idelta_format format, const std::vector<float>& D);
StoredNorms stored_norms(const idelta_context& context, const StoredDelta& delta, const std::vector<float>& D);

// The same when D is no longer there: a rounding errs by at most half a unit in the last place of what it gives.
StoredNorms stored_norms(const idelta_context& context, const StoredDelta& delta);

// For every row of finite x at the unscaled range of fp32, before activation and with b = 0.
struct Certificates {
  double forward, backward_data;
};
Certificates certificates_of(const StoredDelta& delta, const StoredNorms& norms, float identity_scale);

// What SGEMM with W = a I + D, rounded to fp32, may err by in the worst case: the bound that certifies F32, applied to
// W, rounded down.
double sgemm_error(int64_t n, const std::vector<float>& D, float identity_scale);

// ||A||_2 for A n x n dense from above. Not finite if A is not.
double spectral_bound(const idelta_context& context, int64_t n, const std::vector<float>& A);

// || diag(rows) |A| diag(columns) ||_2 from below and above; null weights are ones.
struct Bounds {
  double lower, upper;
};
Bounds absolute_spectral_bounds(int64_t n, const float* A, const double* rows = nullptr,
                                const double* columns = nullptr);

}  // namespace idelta::core

#endif  // IDELTA_CORE_CERTIFICATE_H
