// Which layers a sheet of contribution maps has columns for.
#ifndef IDELTA_NN_SHEET_COLUMNS_H
#define IDELTA_NN_SHEET_COLUMNS_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace idelta::nn {

inline constexpr int64_t kSheetColumns = 12;

// Layers from 1: all, or kSheetColumns of them, evenly spaced, the first and the last included.
inline std::vector<int64_t> sheet_columns(int64_t layers) {
  std::vector<int64_t> shown;
  const int64_t columns = std::min(layers, kSheetColumns);
  for (int64_t c = 0; c < columns; ++c) {
    shown.push_back(columns == 1 ? layers : 1 + (c * (layers - 1) + (columns - 1) / 2) / (columns - 1));
  }
  return shown;
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_SHEET_COLUMNS_H
