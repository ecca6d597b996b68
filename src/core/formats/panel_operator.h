// The base of the formats that hold a matrix in panels: all but LOW_RANK.
#ifndef IDELTA_CORE_FORMATS_PANEL_OPERATOR_H
#define IDELTA_CORE_FORMATS_PANEL_OPERATOR_H

#include <memory>
#include <vector>

#include "src/core/formats/format.h"

namespace idelta::core {

class PanelOperator : public Operator {
 public:
  // given_scales: see Panels::pack().
  PanelOperator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols, const PanelShape& shape,
                const float* given_scales = nullptr)
      : Operator(k, cols), panels_(k, cols, shape) {
    pack_panels(context, panels_, B, given_scales);
  }

  std::vector<float> values(const idelta_context& /*context*/) const override { return all_of(&Panels::at); }
  size_t bytes() const override { return panels_.bytes(); }
  double zero_share() const override;
  Norms norms(const idelta_context& context, const float* B) const override;  // for formats that round
  RowBound row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const override;
  bool repack(const idelta_context& context, const MatrixView& B) override {
    pack_panels(context, panels_, B);
    return true;
  }
  Panels* steppable() override { return &panels_; }

 protected:
  // The second plane of B~, if there is one.
  std::vector<float> low_values() const {
    return panels_.low_plane() > 0 ? all_of(&Panels::low_at) : std::vector<float>();
  }
  const Panels& panels() const { return panels_; }
  // Whether error() uses Norms::values.
  virtual bool needs_norm_of_values() const { return true; }

 private:
  std::vector<float> all_of(float (Panels::*at)(int64_t k, int64_t j) const) const;

  Panels panels_;
};

// Measures a pack against D.
void measure(const idelta_context& context, Packed& packed, int64_t n, const MatrixView& D);

// Format::pack for an Op whose constructor takes (context, B, k, cols).
template <class Op, bool kMeasured>
Packed pack_panel_operators(const idelta_context& context, int64_t n, const MatrixView& D, const PackOptions& options) {
  Packed packed;
  if (options.passes & IDELTA_PASS_FORWARD) packed.forward = std::make_unique<Op>(context, D, n, n);
  if (options.passes & IDELTA_PASS_BACKWARD_DATA) {
    packed.backward = std::make_unique<Op>(context, D.transpose(), n, n);
  }
  if constexpr (kMeasured) measure(context, packed, n, D);
  return packed;
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_PANEL_OPERATOR_H
