// The two types of a format: an Operator holds, multiplies and certifies one direction of a packed delta; a Format
// makes operators. Each format has a file beside this one; list.cc lists them.
#ifndef IDELTA_CORE_FORMATS_FORMAT_H
#define IDELTA_CORE_FORMATS_FORMAT_H

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/certificate.h"
#include "src/core/formats/factorise.h"
#include "src/core/formats/matrix.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/panels.h"
#include "src/core/formats/row_bound.h"
#include "src/core/formats/sample.h"

namespace idelta::core {

// One packed direction: B (k x cols) is D or D^T, or a factor of either.
class Operator {
 public:
  Operator(int64_t k, int64_t cols) : k_(k), cols_(cols) {}
  virtual ~Operator() = default;
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  int64_t k() const { return k_; }
  int64_t cols() const { return cols_; }

  virtual size_t workspace_bytes(const idelta_context& context, int64_t m) const = 0;  // of multiply() for m >= 1 rows
  virtual void multiply(const idelta_context& context, Multiplication& call) const = 0;

  virtual std::vector<float> values(const idelta_context& context) const = 0;  // the B that is multiplied, dense
  virtual size_t bytes() const = 0;
  virtual double zero_share() const = 0;      // of the multiplication that is skipped because B is zero
  virtual int64_t rank() const { return 0; }  // LOW_RANK's
  // Whether the B that is multiplied is not the transpose of the other direction's.
  virtual bool has_own_values() const { return false; }

  // Measured against the dense B (row-major, no gaps); if B is null, bounded from what is stored.
  virtual Norms norms(const idelta_context& context, const float* B) const = 0;
  virtual ErrorTerms error(const idelta_context& context, const Norms& norms) const = 0;
  // The error of single rows of forward.
  virtual RowBound row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const = 0;

  // Packs another B of the same size into the same memory. Returns false, unchanged, if the format cannot.
  virtual bool repack(const idelta_context& /*context*/, const MatrixView& /*B*/) { return false; }
  // The panels that an update writes with each step; null: D is packed again.
  virtual Panels* steppable() { return nullptr; }

 private:
  int64_t k_, cols_;
};

// The requested directions of a delta, and the norms measured against D.
struct Packed {
  std::unique_ptr<Operator> forward, backward;
  std::optional<Norms> norms;              // none: nothing was measured
  std::optional<Norms> norms_of_backward;  // if both are packed and backward has values of its own

  const Operator& any() const { return forward ? *forward : *backward; }
};

struct PackOptions {
  idelta_passes passes;
  float identity_scale;
  int64_t rank;                         // LOW_RANK: at most; 0: left open
  double tolerance;                     // of packed_error(); 0: no demand
  const Sample* sample = nullptr;       // null: the certificates count
  idelta_tail tail = IDELTA_TAIL_NONE;  // LOW_RANK
  Subspaces* subspaces = nullptr;       // of D, for several packs of it; null: found anew
};

struct Format {
  idelta_format id;
  const char* name;
  bool (*runs)(const idelta_context& context);
  const Format* stands_in = nullptr;  // replaces it where it does not run, no less accurate; null: it runs everywhere
  bool exact = false;                 // stores the bits of D, so that it may be the optimiser's master
  bool trains = false;                // idelta_update can step it
  bool ranked = false;                // has a rank, which packing chooses
  int64_t gradient_planes = 0;        // bf16 numbers an operand of x^T dz: 0: fp32; -1: not for x^T dz
  // Packs D, n x n. LOW_RANK chooses its rank by the tolerance.
  Packed (*pack)(const idelta_context& context, int64_t n, const MatrixView& D, const PackOptions& options);
  // What a call takes, in steps of plan/cost_model.h; cols = k.
  double (*steps)(const idelta_context& context, const ProductSize& size, int64_t rank, idelta_tail tail);
};

// The measured norms of a direction, or bounds from what is stored.
Norms norms_of(const idelta_context& context, const Packed& packed, const Operator& direction);

double certificate_of(const idelta_context& context, const Packed& packed, const Operator& direction,
                      float identity_scale);
// The largest row_error / ||x|| of the rows that are not zero; infinity if a row's error is.
double sample_error(const idelta_context& context, const Packed& packed, float identity_scale, const Sample& sample);

// The largest certificate of the passes that are packed.
double largest_certificate(const idelta_context& context, const Packed& packed, float identity_scale);

// What the tolerance is for: the largest certificate, in which sample_error() stands for forward's if there is a
// sample.
double packed_error(const idelta_context& context, const Packed& packed, const PackOptions& options);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_FORMAT_H
