// Memory between two inaccessible pages, and matrices in it.
//
//     | no access | slack | bytes asked for | slack | no access |
//
// Flush::kRight puts the end against the page behind it (a read or write past the end is a SIGSEGV), Flush::kLeft the
// start against the page before it. What alignment or shift leaves over is slack: filled with the canary, checked by
// slack_untouched(). The canary is a quiet NaN with a payload no arithmetic makes, so that an input read outside its
// bounds poisons the result and an output written outside its bounds loses its bits.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace idelta_test {

constexpr uint32_t kCanary = 0x7fc5a5a5;

enum class Flush { kLeft, kRight };

// Mappings by their size, kept for the next buffer: making one costs milliseconds in some containers.
class GuardPages {
 public:
  // `inner` bytes to read and write, a multiple of the page size, with an inaccessible page on either side.
  static std::byte* take(size_t inner, size_t page) {
    {
      const std::lock_guard lock(mutex_);
      std::vector<std::byte*>& spare = spare_[inner];
      if (!spare.empty()) {
        std::byte* first = spare.back();
        spare.pop_back();
        return first;
      }
    }
    void* base = mmap(nullptr, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) throw std::bad_alloc();
    std::byte* first = static_cast<std::byte*>(base) + page;
    if (mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    return first;
  }
  static void give_back(std::byte* first, size_t inner, size_t page) {
    constexpr size_t kWorthKeeping = size_t{1} << 20;
    if (inner > kWorthKeeping) {
      munmap(first - page, inner + 2 * page);
      return;
    }
    const std::lock_guard lock(mutex_);
    spare_[inner].push_back(first);
  }

 private:
  static inline std::mutex mutex_;
  static inline std::map<size_t, std::vector<std::byte*>> spare_;
};

class GuardBuffer {
 public:
  // shift_bytes: distance kept from the guard page on the flush side, on top of what `alignment` asks for.
  GuardBuffer(size_t bytes, Flush flush, size_t alignment = alignof(float), size_t shift_bytes = 0) : bytes_(bytes) {
    const size_t inner = (bytes + alignment + shift_bytes + page() - 1) / page() * page();
    first_ = GuardPages::take(inner, page());
    last_ = first_ + inner;
    const size_t right = (inner - bytes - shift_bytes) / alignment * alignment;
    data_ = first_ + (flush == Flush::kLeft ? shift_bytes : right);
    fill_canary(first_, last_);
  }
  ~GuardBuffer() {
    if (first_ != nullptr) GuardPages::give_back(first_, static_cast<size_t>(last_ - first_), page());
  }
  GuardBuffer(GuardBuffer&& from) noexcept { *this = static_cast<GuardBuffer&&>(from); }
  GuardBuffer& operator=(GuardBuffer&& from) noexcept {
    std::swap(first_, from.first_);
    std::swap(last_, from.last_);
    std::swap(data_, from.data_);
    std::swap(bytes_, from.bytes_);
    return *this;
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  bool slack_untouched() const { return is_canary(first_, data_) && is_canary(data_ + bytes_, last_); }

 private:
  static size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

  // Byte k of a page holds byte k % 4 of the canary, so that any start that is a multiple of 4 reads whole canaries.
  std::byte canary_at(const std::byte* p) const {
    return static_cast<std::byte>(kCanary >> (8 * (static_cast<size_t>(p - first_) % 4)) & 0xff);
  }
  void fill_canary(std::byte* from, std::byte* to) {
    for (std::byte* p = from; p != to; ++p) *p = canary_at(p);
  }
  bool is_canary(const std::byte* from, const std::byte* to) const {
    for (const std::byte* p = from; p != to; ++p) {
      if (*p != canary_at(p)) return false;
    }
    return true;
  }

  std::byte* first_ = nullptr;
  std::byte* last_ = nullptr;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

inline uint32_t bits(float value) { return std::bit_cast<uint32_t>(value); }

// What a test reads of a matrix: row-major, ld elements between rows.
struct View {
  const float* data;
  int64_t rows;
  int64_t cols;
  int64_t ld;
  float operator()(int64_t i, int64_t j) const { return data[i * ld + j]; }
};

// A matrix in guarded memory of exactly (rows - 1) ld + cols elements, all of them the canary at first.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, int64_t ld, Flush flush = Flush::kRight, int64_t shift = 0)
      : rows_(rows),
        cols_(cols),
        ld_(ld),
        buffer_(static_cast<size_t>(extent(rows, cols, ld)) * sizeof(float), flush, alignof(float),
                static_cast<size_t>(shift) * sizeof(float)) {}
  Matrix(int64_t rows, int64_t cols) : Matrix(rows, cols, cols) {}
  Matrix(Matrix&&) = default;
  Matrix& operator=(Matrix&&) = default;

  Matrix copy() const {
    Matrix to(rows_, cols_, ld_);
    for (int64_t i = 0; i < rows_; ++i) {
      for (int64_t j = 0; j < cols_; ++j) to(i, j) = (*this)(i, j);
    }
    return to;
  }

  float* data() const { return static_cast<float*>(buffer_.data()); }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t ld() const { return ld_; }
  float& operator()(int64_t i, int64_t j) const { return data()[i * ld_ + j]; }
  // NOLINTNEXTLINE(google-explicit-constructor): a matrix is passed wherever a view is taken
  operator View() const { return {data(), rows_, cols_, ld_}; }

  // The matrix's own elements, row after row, without the gaps.
  std::vector<uint32_t> element_bits() const {
    std::vector<uint32_t> all;
    all.reserve(static_cast<size_t>(rows_ * cols_));
    for (int64_t i = 0; i < rows_; ++i) {
      for (int64_t j = 0; j < cols_; ++j) all.push_back(bits((*this)(i, j)));
    }
    return all;
  }

  // What the test itself filled in, kept to be compared by unchanged().
  void freeze() { frozen_ = element_bits(); }
  bool unchanged() const { return element_bits() == frozen_ && surroundings_untouched(); }

  bool untouched() const {
    for (int64_t i = 0; i < rows_; ++i) {
      for (int64_t j = 0; j < cols_; ++j) {
        if (bits((*this)(i, j)) != kCanary) return false;
      }
    }
    return surroundings_untouched();
  }

  // The gaps between rows, and the slack outside.
  bool surroundings_untouched() const {
    for (int64_t i = 0; i + 1 < rows_; ++i) {
      for (int64_t j = cols_; j < ld_; ++j) {
        if (bits((*this)(i, j)) != kCanary) return false;
      }
    }
    return buffer_.slack_untouched();
  }

 private:
  static int64_t extent(int64_t rows, int64_t cols, int64_t ld) { return rows == 0 ? 0 : (rows - 1) * ld + cols; }

  int64_t rows_;
  int64_t cols_;
  int64_t ld_;
  GuardBuffer buffer_;
  std::vector<uint32_t> frozen_;
};

}  // namespace idelta_test
