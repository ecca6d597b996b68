// A format in two types: an Operator holds, multiplies and judges one direction of a packed delta; a Format makes the
// operators. One file a format beside this one; list.cc is all of them on one screen.
#ifndef IDELTA_CORE_FORMATS_FORMAT_H
#define IDELTA_CORE_FORMATS_FORMAT_H

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/certificate.h"
#include "src/core/formats/matrix.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/panels.h"
#include "src/core/formats/row_bound.h"

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

  virtual void unpack(const idelta_context& context, float* B, int64_t ld) const = 0;  // B as it is multiplied
  virtual size_t bytes() const = 0;
  virtual double zero_share() const = 0;      // of the multiplication, skipped because B is exactly zero there
  virtual int64_t rank() const { return 0; }  // LOW_RANK's

  // Spectral norms that do not depend on the direction, measured against the dense B (row-major, no gaps), or bounded
  // from what is stored if B is null.
  virtual Norms norms(const idelta_context& context, const float* B) const = 0;
  virtual ErrorTerms error(const idelta_context& context, const Norms& norms) const = 0;
  // The same of single rows of forward.
  virtual RowBound row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const = 0;

  // Packs another B of the same size into the same memory; false, and nothing is changed, where that cannot be.
  virtual bool repack(const idelta_context& /*context*/, const MatrixView& /*B*/) { return false; }
  // The panels that an update may write with each step; null: it has to pack again.
  virtual Panels* steppable() { return nullptr; }

 private:
  int64_t k_, cols_;
};

// A packed delta's directions, as far as they were asked for, and what was measured of them against D.
struct Packed {
  std::unique_ptr<Operator> forward, backward;
  std::optional<Norms> norms;  // none: nothing was measured

  const Operator& any() const { return forward ? *forward : *backward; }
};

// What packing is asked for.
struct PackOptions {
  idelta_passes passes;
  float identity_scale;
  int64_t rank;      // LOW_RANK's at most; 0: not said
  double tolerance;  // of the certificates of the passes; 0: no demand
};

struct Format {
  idelta_format id;
  const char* name;
  bool (*runs)(const idelta_context& context);
  const Format* stands_in;  // where it does not run: another one, faster and no less accurate; null: it runs everywhere
  bool exact;               // D~ is D to the bit, so that it may be the optimiser's master
  bool trains;              // idelta_update can step it
  int64_t
      gradient_planes;  // bf16 numbers for each operand of x^T dz: 0 multiplies in fp32; -1: x^T dz has no such format
  // Packs D, n x n. Where the tolerance has a say in how (LOW_RANK's rank), it has been heeded if it can be met.
  Packed (*pack)(const idelta_context& context, int64_t n, const MatrixView& D, const PackOptions& options);
};

// What was measured of a pack against D, or what bounds it from what is stored.
Norms norms_of(const idelta_context& context, const Packed& packed);

// The largest certificate of the passes that are packed.
double largest_certificate(const idelta_context& context, const Packed& packed, float identity_scale);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_FORMAT_H
