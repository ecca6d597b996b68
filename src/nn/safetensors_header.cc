// The JSON header of a safetensors file, parsed as events, not into a tree: a hostile header can neither nest deeply
// nor make the parser hold more than the tensors it names.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "error.h"
#include "safetensors.h"

namespace idelta::nn {
namespace {

constexpr char kMetadataKey[] = "__metadata__";

// Dimensions of one tensor; more is nothing that any writer makes.
constexpr size_t kMaxRank = 8;

// A name of the file as a sentence may show it, whatever bytes the file holds.
std::string shown(const std::string& name) {
  constexpr size_t kShown = 64;
  std::string text = "'" + name.substr(0, kShown) + (name.size() > kShown ? "..." : "") + "'";
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

[[noreturn]] void fail_syntax(size_t position) { fail("the header is not JSON from byte ", position, " on"); }

// Fills a SafetensorsHeader and refuses everything that is not of the format's one shape.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderEvents(SafetensorsHeader& header) : header_(header) {}

  bool start_object(size_t) override {
    if (level_ == Level::kOutside) {
      level_ = Level::kRoot;
    } else if (level_ == Level::kRoot) {
      if (key_ == kMetadataKey) {
        level_ = Level::kMetadata;
      } else {
        level_ = Level::kTensor;
        tensor_ = {};
        has_dtype_ = has_shape_ = has_offsets_ = false;
      }
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    if (level_ == Level::kRoot) {
      const bool seen = name == kMetadataKey ? std::exchange(has_metadata_, true) : header_.tensors.count(name) != 0;
      if (seen) fail("the header names ", shown(name), " twice");
      name_ = name;
    } else if (level_ == Level::kMetadata && header_.metadata.count(name) != 0) {
      fail("the metadata names ", shown(name), " twice");
    }
    return true;
  }

  bool string(std::string& value) override {
    if (level_ == Level::kMetadata) {
      header_.metadata.emplace(key_, value);
    } else if (level_ == Level::kTensor && key_ == "dtype") {
      once(has_dtype_);
      read_type(value);
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(size_t) override {
    if (level_ == Level::kTensor && key_ == "shape") {
      once(has_shape_);
    } else if (level_ == Level::kTensor && key_ == "data_offsets") {
      once(has_offsets_);
    } else {
      unexpected("an array");
    }
    level_ = Level::kArray;
    array_.clear();
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (level_ != Level::kArray) unexpected("a number");
    if (array_.size() == kMaxRank)
      fail("tensor ", shown(name_), " has a ", key_, " of more than ", kMaxRank, " entries");
    array_.push_back(value);
    return true;
  }

  bool end_array() override {
    level_ = Level::kTensor;
    if (key_ == "shape") {
      for (const uint64_t size : array_) {
        if (size > uint64_t{std::numeric_limits<int64_t>::max()}) fail("tensor ", shown(name_), " has size ", size);
        tensor_.shape.push_back(static_cast<int64_t>(size));
      }
    } else {
      if (array_.size() != 2) fail("tensor ", shown(name_), " has ", array_.size(), " data_offsets; 2 are wanted");
      tensor_.begin = array_[0];
      tensor_.end = array_[1];
    }
    return true;
  }

  bool end_object() override {
    if (level_ == Level::kTensor) {
      if (!has_dtype_) fail("tensor ", shown(name_), " has no dtype");
      if (!has_shape_) fail("tensor ", shown(name_), " has no shape");
      if (!has_offsets_) fail("tensor ", shown(name_), " has no data_offsets");
      header_.tensors.emplace(name_, std::move(tensor_));
    }
    level_ = level_ == Level::kRoot ? Level::kOutside : Level::kRoot;
    return true;
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override { unexpected("a number that is no integer"); }
  bool binary(nlohmann::json::binary_t&) override { unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail_syntax(position);
  }

 private:
  enum class Level { kOutside, kRoot, kMetadata, kTensor, kArray };

  [[noreturn]] void unexpected(const char* what) const {
    fail("the header has ", what, " at ", shown(key_), level_ == Level::kRoot ? "" : " of " + shown(name_),
         ", which the format does not allow");
  }

  void read_type(const std::string& value) {
    for (const TensorType type : {TensorType::kFloat, TensorType::kInt8}) {
      if (value != name_of(type)) continue;
      tensor_.type = type;
      return;
    }
    fail("tensor ", shown(name_), " has dtype ", shown(value), "; only F32 and I8 are read");
  }

  void once(bool& seen) const {
    if (seen) fail("tensor ", shown(name_), " names ", key_, " twice");
    seen = true;
  }

  SafetensorsHeader& header_;
  Level level_ = Level::kOutside;
  std::string key_, name_;  // the last key of any level; of the root level
  TensorInfo tensor_;
  std::vector<uint64_t> array_;
  bool has_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

// What the format asks for beyond JSON, and what nlohmann's parser lets pass: it ends at the first NUL.
void check_text(std::string_view json) {
  if (!json.starts_with('{')) fail("the header does not begin with '{'");
  if (const size_t nul = json.find('\0'); nul != std::string_view::npos) fail_syntax(nul + 1);
}

// The shape and the offsets of one tensor must tell the same size.
void check_size(const std::string& name, const TensorInfo& tensor) {
  if (tensor.begin > tensor.end) {
    fail("tensor ", shown(name), " has data_offsets [", tensor.begin, ", ", tensor.end, "] that run backwards");
  }
  uint64_t bytes = bytes_of(tensor.type);
  for (const int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      fail("tensor ", shown(name), " has a shape whose product overflows");
    }
  }
  if (bytes != tensor.end - tensor.begin) {
    fail("tensor ", shown(name), " takes ", tensor.end - tensor.begin, " bytes by its data_offsets, but ", bytes,
         " by its shape");
  }
}

// Laid out in ascending order, the tensors must cover [0, data_bytes) exactly once.
void check_layout(const std::map<std::string, TensorInfo>& tensors, uint64_t data_bytes) {
  struct Range {
    uint64_t begin, end;
    const std::string* name;
  };
  std::vector<Range> ranges;
  for (const auto& [name, tensor] : tensors) ranges.push_back({tensor.begin, tensor.end, &name});
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& l, const Range& r) { return l.begin != r.begin ? l.begin < r.begin : l.end < r.end; });
  uint64_t covered = 0;
  for (const Range& range : ranges) {
    if (range.end > data_bytes) {
      fail("tensor ", shown(*range.name), " ends at byte ", range.end, " of the data, but the file holds ", data_bytes,
           ": it is cut short or its header is damaged");
    }
    if (range.begin != covered) {
      fail("tensor ", shown(*range.name), " starts at byte ", range.begin, " of the data where ", covered,
           " is wanted: the data has ", range.begin < covered ? "an overlap" : "a gap");
    }
    covered = range.end;
  }
  if (covered != data_bytes) {
    fail("the tensors take ", covered, " bytes, but the file holds ", data_bytes, " bytes of data");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes) {
  check_text(json);
  SafetensorsHeader header;
  HeaderEvents events(header);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  for (const auto& [name, tensor] : header.tensors) check_size(name, tensor);
  check_layout(header.tensors, data_bytes);
  return header;
}

}  // namespace idelta::nn
