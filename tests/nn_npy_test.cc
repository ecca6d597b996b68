// .npy and .npz files: every type and version that is read, every damage with its sentence, and what is written.
#include "nn/npy.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "nn/npz.h"
#include "nn_support.h"
#include "support/npy_bytes.h"

namespace idelta_test {
namespace {

class Npy : public ::testing::Test {
 protected:
  nn::NpyArray read(const Bytes& bytes, int64_t most = nn::kAllImages) {
    write_bytes(folder_ / "array.npy", bytes);
    return nn::read_npy(folder_ / "array.npy", most);
  }

  void expect_array_error(const Bytes& bytes, std::initializer_list<std::string> parts) {
    write_bytes(folder_ / "array.npy", bytes);
    const auto again = [&] { nn::read_npy(folder_ / "array.npy", nn::kAllImages); };
    expect_error(again, parts);
    expect_error(again, {folder_ / "array.npy"});
  }

  TemporaryFolder folder_;
};

constexpr char kShape23[] = "(2, 3)";

template <class Wanted>
void expect_values(const nn::NpyArray& array, std::initializer_list<Wanted> values) {
  ASSERT_TRUE(std::holds_alternative<std::vector<Wanted>>(array.values));
  EXPECT_EQ(std::vector<Wanted>(values), std::get<std::vector<Wanted>>(array.values));
}

TEST_F(Npy, EveryTypeIsRead) {
  expect_values<uint8_t>(read(npy_bytes("|u1", "(3,)", bytes_of<uint8_t>({0, 7, 255}))), {0, 7, 255});
  expect_values<int64_t>(read(npy_bytes("|b1", "(2,)", {1, 0})), {1, 0});
  expect_values<int64_t>(read(npy_bytes("|i1", "(2,)", bytes_of<int8_t>({-1, 5}))), {-1, 5});
  expect_values<int64_t>(read(npy_bytes("<i2", "(2,)", bytes_of<int16_t>({-300, 5}))), {-300, 5});
  expect_values<int64_t>(read(npy_bytes("<u2", "(1,)", bytes_of<uint16_t>({60000}))), {60000});
  expect_values<int64_t>(read(npy_bytes("<u4", "(1,)", bytes_of<uint32_t>({4000000000}))), {4000000000});
  expect_values<int64_t>(read(npy_bytes("<u8", "(1,)", bytes_of<uint64_t>({INT64_MAX}))), {INT64_MAX});
  expect_values<int64_t>(read(npy_bytes("<i8", "(2,)", bytes_of<int64_t>({-9, INT64_MAX}))), {-9, INT64_MAX});
  expect_values<float>(read(npy_bytes("<f4", "(2,)", bytes_of<float>({1.5f, -0.1f}))), {1.5f, -0.1f});
  expect_values<double>(read(npy_bytes("<f8", "(2,)", bytes_of<double>({1.5, 0.1}))), {1.5, 0.1});
  expect_values<float>(read(npy_bytes(">f4", "(2,)", bytes_of<float>({1.5f, -0.1f}, true))), {1.5f, -0.1f});
  expect_values<int64_t>(read(npy_bytes(">i4", "(1,)", bytes_of<int32_t>({-70000}, true))), {-70000});
}

TEST_F(Npy, VersionsAndPackingAreRead) {
  const Bytes values = bytes_of<float>({1, 2, 3, 4, 5, 6});
  for (const int version : {1, 2, 3}) {
    const nn::NpyArray array = read(npy_bytes("<f4", kShape23, values, version));
    EXPECT_EQ((std::vector<int64_t>{2, 3}), array.shape);
    expect_values<float>(array, {1, 2, 3, 4, 5, 6});
  }
  write_gz(folder_ / "packed", npy_bytes("<f4", kShape23, values));
  expect_values<float>(nn::read_npy(folder_ / "packed", nn::kAllImages), {1, 2, 3, 4, 5, 6});
}

TEST_F(Npy, LimitReadsTheFirstRows) {
  const nn::NpyArray array = read(npy_bytes("<f4", kShape23, bytes_of<float>({1, 2, 3, 4, 5, 6})), 1);
  EXPECT_EQ(1, array.kept);
  EXPECT_EQ(2, array.shape[0]);
  expect_values<float>(array, {1, 2, 3});
}

TEST_F(Npy, ArraysThatAreNotReadAreNamed) {
  expect_array_error(npy_bytes("|O", "(1,)", {}), {"Python objects", "astype"});
  expect_array_error(npy_bytes("<f2", "(1,)", {0, 0}), {"type <f2", "float32"});
  expect_array_error(npy_bytes("<U3", "(1,)", Bytes(12)), {"type <U3"});
  expect_array_error(npy_bytes("<c8", "(1,)", Bytes(8)), {"type <c8"});
  expect_array_error(npy_file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", Bytes(4)),
                     {"records"});
  expect_array_error(npy_file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", Bytes(24)),
                     {"column by column", "ascontiguousarray"});
  expect_array_error(npy_bytes("<f4", "()", Bytes(4)), {"one number"});
  expect_array_error(npy_bytes("<u8", "(2,)", bytes_of<uint64_t>({5, uint64_t{1} << 63})),
                     {"value 1 is above 9223372036854775807", "float64"});
}

TEST_F(Npy, DamageIsNamed) {
  const Bytes whole = npy_bytes("<f4", kShape23, bytes_of<float>({1, 2, 3, 4, 5, 6}));
  for (size_t kept = 0; kept < whole.size(); ++kept) {
    SCOPED_TRACE(kept);
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept));
    expect_array_error(cut, {kept < 8                   ? "no .npy file"
                             : kept < whole.size() - 24 ? "inside its header"
                                                        : "ends after"});
  }
  Bytes longer = whole;
  longer.push_back(0);
  expect_array_error(longer, {"goes on after the 6 values"});
  Bytes version = whole;
  version[6] = 4;
  expect_array_error(version, {"version 4.0"});
  for (const char* header :
       {"", "{", "{'descr'", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'shape': (1,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "[]",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} more"}) {
    SCOPED_TRACE(header);
    expect_array_error(npy_file(header, Bytes(4)), {"header"});
  }
}

TEST_F(Npy, HeaderThatLiesAboutSizesTakesNoMemory) {
  expect_array_error(npy_bytes("<f4", "(1048576, 1024, 1024)", Bytes(24)), {"ends after 6 of the"});
  expect_array_error(npy_bytes("<f4", "(9223372036854775807, 9223372036854775807)", Bytes(24)), {"more values"});
  expect_array_error(npy_bytes("<f4", "(9223372036854775808,)", Bytes(24)), {"no size of an array"});
}

TEST_F(Npy, WrittenArraysReadBackToTheBit) {
  const std::string path = folder_ / "out.npy";
  const float floats[] = {1.5f, -0.0f, std::numeric_limits<float>::denorm_min(), 3e38f};
  nn::write_npy(path, {2, 2}, std::span<const float>(floats));
  const nn::NpyArray array = nn::read_npy(path, nn::kAllImages);
  EXPECT_EQ((std::vector<int64_t>{2, 2}), array.shape);
  EXPECT_EQ(0, std::memcmp(floats, std::get<std::vector<float>>(array.values).data(), sizeof floats));
  const double doubles[] = {0.1, 1e300, -3};
  nn::write_npy(path, {3}, std::span<const double>(doubles));
  expect_values<double>(nn::read_npy(path, nn::kAllImages), {0.1, 1e300, -3});
  const int64_t integers[] = {INT64_MIN, 5};
  nn::write_npy(path, {1, 2, 1}, std::span<const int64_t>(integers));
  expect_values<int64_t>(nn::read_npy(path, nn::kAllImages), {INT64_MIN, 5});
  nn::write_npy(path, {0, 4}, std::span<const float>());
  EXPECT_EQ((std::vector<int64_t>{0, 4}), nn::read_npy(path, nn::kAllImages).shape);
}

TEST_F(Npy, WrittenHeaderIsWhatNumPyWrites) {
  const float floats[] = {1, 2, 3};
  nn::write_npy(folder_ / "out.npy", {3}, std::span<const float>(floats));
  EXPECT_EQ(npy_bytes("<f4", "(3,)", bytes_of<float>({1, 2, 3})), read_bytes(folder_ / "out.npy"));
  nn::write_npy(folder_ / "out.npy", {1, 3}, std::span<const float>(floats));
  EXPECT_EQ(npy_bytes("<f4", "(1, 3)", bytes_of<float>({1, 2, 3})), read_bytes(folder_ / "out.npy"));
}

TEST_F(Npy, SizesThatDoNotFitTheValuesAreRefused) {
  const float floats[] = {1, 2, 3};
  expect_error(
      [&] {
        nn::write_npy(folder_ / "out.npy", {2, 2}, std::span<const float>(floats));
      },
      {folder_ / "out.npy", "4 values", "3"});
  expect_error([&] { nn::write_npy(folder_ / "out.npy", {-1, -3}, std::span<const float>(floats)); }, {"no size -1"});
  EXPECT_EQ(0u, folder_.entries());
}

class Npz : public Npy {
 protected:
  const Bytes first_ = npy_bytes("<f4", "(2,)", bytes_of<float>({1, 2}));
  const Bytes second_ = npy_bytes("|u1", "(1000,)", Bytes(1000, 7));
};

TEST_F(Npz, StoredAndDeflatedArraysAreRead) {
  write_bytes(folder_ / "a.npz", zip_bytes({{"x.npy", first_, false}, {"y.npy", second_, true}, {"note", {1}, false}}));
  EXPECT_EQ((std::vector<std::string>{"x", "y"}), nn::npz_arrays(folder_ / "a.npz"));
  expect_values<float>(nn::read_npz(folder_ / "a.npz", "x", nn::kAllImages), {1, 2});
  const nn::NpyArray array = nn::read_npz(folder_ / "a.npz", "y", nn::kAllImages);
  EXPECT_EQ(Bytes(1000, 7), std::get<Bytes>(array.values));
  EXPECT_EQ(Bytes(3, 7), std::get<Bytes>(nn::read_npz(folder_ / "a.npz", "y", 3).values));
  expect_error([&] { nn::read_npz(folder_ / "a.npz", "z", 1); }, {folder_ / "a.npz", "no array 'z'"});
}

TEST_F(Npz, DamageIsNamed) {
  for (const bool deflated : {false, true}) {
    const Bytes values(40, 7);
    const Bytes whole = zip_bytes({{"x.npy", npy_bytes("|u1", "(40,)", values), deflated}});
    const auto read_array = [&](const Bytes& bytes) {
      write_bytes(folder_ / "a.npz", bytes);
      return nn::read_npz(folder_ / "a.npz", "x", nn::kAllImages);
    };
    for (size_t kept = 0; kept < whole.size(); kept += 7) {
      expect_error([&] { read_array(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept))); },
                   {folder_ / "a.npz", "is no ZIP archive, or is cut short"});
    }
    // Every byte of the local file and of the directory in turn: read as it was, or an error.
    for (size_t i = 0; i < whole.size(); ++i) {
      Bytes damaged = whole;
      damaged[i] ^= 0x5a;
      try {
        EXPECT_EQ(values, std::get<Bytes>(read_array(damaged).values)) << "byte " << i;
      } catch (const std::exception& e) {
        EXPECT_NE(std::string::npos, std::string(e.what()).find(folder_ / "a.npz")) << e.what();
      }
    }
  }
}

TEST_F(Npz, WhatIsNotReadIsNamed) {
  Bytes encrypted = zip_bytes({{"x.npy", first_, false}});
  const size_t directory = zip_directory(encrypted);
  encrypted[directory + 8] |= 1;
  write_bytes(folder_ / "a.npz", encrypted);
  expect_error([&] { nn::read_npz(folder_ / "a.npz", "x", 1); }, {folder_ / "a.npz", "x.npy", "encrypted"});
  Bytes other = zip_bytes({{"x.npy", first_, false}});
  other[directory + 10] = 12;
  write_bytes(folder_ / "a.npz", other);
  expect_error([&] { nn::read_npz(folder_ / "a.npz", "x", 1); }, {folder_ / "a.npz", "savez"});
}

}  // namespace
}  // namespace idelta_test
