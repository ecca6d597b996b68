#include "wall.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "../error.h"
#include "../names.h"
#include "files/path_error.h"
#include "src/core/api/last_error.h"

namespace idelta::nn::api {

idelta_status record_failure(const char* call, Fault fault) noexcept {
  const auto record = [call](idelta_status status, const char* what) {
    return idelta_record_error(status, call, what);
  };
  const bool of_file = fault == Fault::kFile;
  try {
    throw;
  } catch (const core::Failure& failure) {
    return record(failure.status(), failure.what());
  } catch (const Error& error) {
    return record(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return record(IDELTA_OUT_OF_MEMORY, "out of memory");
  } catch (const files::PathError& error) {
    return record(IDELTA_FILE_ERROR, error.what());
  } catch (const NotFinite& error) {
    return record(of_file ? IDELTA_FILE_ERROR : IDELTA_NOT_FINITE, error.what());
  } catch (const std::runtime_error& error) {
    return record(of_file ? IDELTA_FILE_ERROR : IDELTA_INVALID_ARGUMENT, error.what());
  } catch (const std::exception& error) {
    return record(IDELTA_INTERNAL, error.what());
  } catch (...) {
    return record(IDELTA_INTERNAL, "unknown exception; a callback must not throw");
  }
}

int64_t batch_of(int64_t given) {
  constexpr int64_t kUsual = 512;
  if (given < 0) invalid(sentence("batch = ", given, " is negative; give 0 for ", kUsual));
  return given == 0 ? kUsual : given;
}

void check_index(const char* name, int64_t index, int64_t count) {
  if (index >= 0 && index < count) return;
  invalid(count == 0 ? sentence(name, " = ", index, ", but there is none")
                     : sentence(name, " = ", index, " is not in 0 .. ", count - 1));
}

std::string text_of(const char* text, const char* name) {
  check_pointer(text, name);
  return text;
}

std::vector<std::string> names_of(const char* const* names, int64_t count, const char* what) {
  std::vector<std::string> found;
  for (int64_t i = 0; names && i < count; ++i) {
    found.push_back(text_of(names[i], sentence(what, "[", i, "]").c_str()));
    const std::string why = unfit_as_name(found.back());
    if (!why.empty()) invalid(sentence(what, "[", i, "] ", why, "; give 1 to 256 bytes of UTF-8"));
  }
  return found;
}

Scaling scaling_of(const double* offsets, const double* factors, int64_t pixels) {
  if (!offsets != !factors) invalid("one of offsets and factors is null; give both or neither");
  Scaling scaling;
  for (const auto& [name, given, kept] :
       {std::tuple("offsets", offsets, &scaling.offsets), std::tuple("factors", factors, &scaling.factors)}) {
    for (int64_t p = 0; given && p < pixels; ++p) {
      if (!std::isfinite(given[p])) invalid(sentence(name, "[", p, "] = ", given[p], " is not finite"));
      kept->push_back(given[p]);
    }
  }
  return scaling;
}

std::vector<const char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return pointers;
}

void say(const std::vector<std::string>& texts, idelta_text_seen seen, void* user) {
  for (const std::string& text : texts) seen(user, text.c_str());
}

DenseImages::DenseImages(int64_t rows, const float* images, int64_t ld, int64_t pixels) : data_(images) {
  if (rows < 0) invalid(sentence("rows = ", rows, " is negative"));
  if (rows > (INT64_MAX >> 8) / pixels) invalid(sentence("rows = ", rows, " of P = ", pixels, " are too many"));
  check_matrix(images, "images", rows, ld, "ld", pixels, "P");
  if (rows == 0 || ld == pixels) return;
  copy_.reserve(static_cast<size_t>(rows * pixels));
  for (int64_t i = 0; i < rows; ++i) copy_.insert(copy_.end(), images + i * ld, images + i * ld + pixels);
  data_ = copy_.data();
}

std::vector<uint8_t> labels_of(const int32_t* labels, int64_t count, int64_t classes) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    if (labels[i] < 0 || labels[i] >= classes) {
      invalid(sentence("labels[", i, "] = ", labels[i], " is no class; give 0 to ", classes - 1));
    }
    bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(labels[i]);
  }
  return bytes;
}

}  // namespace idelta::nn::api
