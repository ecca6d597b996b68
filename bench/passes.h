// What is measured: passes of one layer. A pass is a stage, or several one after the other; all of them are rows of the
// tables in passes.cc.
#pragma once

#include <string>
#include <vector>

namespace idelta::bench {

class Buffer;
struct Check;
struct Inputs;
struct LayerMemory;

// How a pass moves its n x n matrices.
enum class Traffic { kRead, kWrite, kReadWrite };

enum class Extent { kRows, kMatrix, kVector };  // m x n, n x n, n

// A matrix that a stage reads or writes: where an implementation keeps it, and where it is given.
struct Operand {
  Buffer LayerMemory::*kept;
  Buffer Inputs::*given;  // null: only ever written
  Extent extent;
};

// What moves at the least, counted in matrices: D in its format, n x n and m x n ones in fp32.
struct Moves {
  double deltas, matrices, rows;
};

struct Stage {
  const char* name;
  double products;  // multiplications by D or for its gradient: 2 m n^2 flops each
  Moves moves;
  Traffic traffic;              // kRead: of D and b; kWrite: of a gradient alone; kReadWrite: it trains D, b and v
  std::vector<Operand> reads;   // besides D, b and v
  std::vector<Operand> writes;  // besides D, b and v
  void (*check)(const Check&);  // judges what it wrote (check.h)

  bool has_parameters() const { return traffic != Traffic::kWrite; }
  bool trains() const { return traffic == Traffic::kReadWrite; }
};

// A row of the table of passes.
class Pass {
 public:
  // The pass of this name. Throws std::invalid_argument, with the names that there are, if there is none.
  // NOLINTNEXTLINE(google-explicit-constructor): problems and tables name their pass
  Pass(const char* name);
  explicit Pass(const std::string& name) : Pass(name.c_str()) {}

  const std::string& name() const { return row_->name; }
  const std::vector<const Stage*>& stages() const { return row_->stages; }
  bool has(const std::string& stage) const;
  bool trains() const { return traffic() == Traffic::kReadWrite; }
  Traffic traffic() const;
  bool runs_by_factors() const { return traffic() == Traffic::kRead; }  // D may be of low rank
  bool operator==(const Pass& other) const { return row_ == other.row_; }

 private:
  struct Row {
    std::string name;
    std::vector<const Stage*> stages;
  };
  static const std::vector<Row>& table();
  explicit Pass(const Row* row) : row_(row) {}
  friend std::vector<Pass> all_passes();

  const Row* row_;
};

std::vector<Pass> all_passes();

}  // namespace idelta::bench
