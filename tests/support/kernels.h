// The kernels of a slot that this machine can run, one a row of the list of tables.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "src/core/machine/dispatch.h"

namespace idelta_test {

inline int64_t rounded_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

template <class Args>
struct Named {
  std::string name;
  idelta::Kernel<Args> kernel;
};

template <class Args>
std::vector<Named<Args>> kernels_of(idelta::Kernel<Args> idelta::KernelTable::*slot) {
  std::vector<Named<Args>> all;
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
    if ((row.table->*slot).run && idelta::core::has(idelta::core::cpu_features().set, row.needs)) {
      all.push_back({row.name, row.table->*slot});
    }
  }
  return all;
}

}  // namespace idelta_test
