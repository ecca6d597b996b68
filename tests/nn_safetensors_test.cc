// The safetensors header: what it accepts, and every lie it refuses.
#include <numeric>

#include "nn/safetensors.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

constexpr char kTwo[] =
    R"({"__metadata__": {"k": "v"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},)"
    R"( "b": {"data_offsets": [16, 24], "shape": [2], "dtype": "F32"}}   )";

void expect_header_error(const std::string& json, uint64_t data_bytes, std::initializer_list<std::string> parts) {
  SCOPED_TRACE(json);
  expect_error([&] { nn::parse_safetensors_header(json, data_bytes); }, parts);
}

// A header of one tensor "a" with this shape and these offsets.
std::string one(const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
  return R"({"a": {"dtype": ")" + dtype + R"(", "shape": )" + shape + R"(, "data_offsets": )" + offsets + "}}";
}

TEST(SafetensorsHeader, SoundHeaderIsRead) {
  const nn::SafetensorsHeader header = nn::parse_safetensors_header(kTwo, 24);
  EXPECT_EQ("v", header.metadata.at("k"));
  ASSERT_EQ(2u, header.tensors.size());
  EXPECT_EQ((std::vector<int64_t>{2, 2}), header.tensors.at("a").shape);
  EXPECT_EQ(16u, header.tensors.at("b").begin);
  EXPECT_EQ(24u, header.tensors.at("b").end);
  EXPECT_NO_THROW(nn::parse_safetensors_header("{}", 0));
  EXPECT_NO_THROW(nn::parse_safetensors_header(one("[]", "[0, 4]"), 4)) << "a scalar";
  EXPECT_NO_THROW(nn::parse_safetensors_header(one("[0, 7]", "[0, 0]"), 0)) << "an empty tensor";
  EXPECT_EQ(nn::TensorType::kFloat, header.tensors.at("a").type);
  EXPECT_EQ(nn::TensorType::kInt8, nn::parse_safetensors_header(one("[3]", "[0, 3]", "I8"), 3).tensors.at("a").type);
}

TEST(SafetensorsHeader, OffsetsMustCoverTheData) {
  expect_header_error(kTwo, 20, {"'b'", "ends at byte 24", "holds 20", "cut short"});
  expect_header_error(kTwo, 28, {"take 24 bytes", "holds 28"});
  expect_header_error(one("[1]", "[4, 8]"), 8, {"'a'", "gap"});
  expect_header_error(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},)"
                      R"( "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}})",
                      12, {"'b'", "overlap"});
  expect_header_error(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},)"
                      R"( "b": {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}})",
                      8, {"'b'", "overlap"});
  expect_header_error("{}", 4, {"take 0 bytes", "holds 4"});
  expect_header_error(one("[1]", "[8, 4]"), 8, {"'a'", "run backwards"});
  expect_header_error(one("[1]", "[0, 4, 8]"), 8, {"'a'", "3 data_offsets"});
}

TEST(SafetensorsHeader, ShapeMustAgreeWithOffsets) {
  expect_header_error(one("[3]", "[0, 8]"), 8, {"'a'", "8 bytes", "12 by its shape"});
  expect_header_error(one("[3]", "[0, 12]", "I8"), 12, {"'a'", "12 bytes", "3 by its shape"});
  expect_header_error(one("[4294967296, 4294967296]", "[0, 4]"), 4, {"'a'", "overflows"});
  expect_header_error(one("[4611686018427387905]", "[0, 4]"), 4, {"'a'", "overflows"});
  expect_header_error(one("[18446744073709551615]", "[0, 4]"), 4, {"'a'", "18446744073709551615"});
  expect_header_error(one("[1, 1, 1, 1, 1, 1, 1, 1, 1]", "[0, 4]"), 4, {"'a'", "more than 8 entries"});
}

TEST(SafetensorsHeader, OnlyTheFormatsOwnShapeIsRead) {
  expect_header_error(one("[1]", "[0, 4]", "BF16"), 4, {"'a'", "BF16", "F32 and I8"});
  expect_header_error(one("[1]", "[0, 1]", "U8"), 1, {"'a'", "U8", "F32 and I8"});
  expect_header_error("", 0, {"begin with '{'"});
  expect_header_error("not json", 0, {"begin with '{'"});
  expect_header_error(std::string(" ") + kTwo, 24, {"begin with '{'"});
  expect_header_error(std::string("\xef\xbb\xbf") + kTwo, 24, {"begin with '{'"});
  expect_header_error(std::string(kTwo) + '\0', 24, {"not JSON from byte"});
  expect_header_error(std::string(kTwo) + std::string(1, '\0') + "garbage", 24, {"not JSON from byte"});
  expect_header_error(std::string("{\0}", 3), 0, {"not JSON from byte 2"});
  expect_header_error(std::string(kTwo) + "garbage", 24, {"not JSON"});
  expect_header_error(std::string(kTwo) + "// said", 24, {"not JSON"});
  expect_header_error("{\"__metadata__\": {\"k\": \"\xff\"}}", 0, {"not JSON"});
  expect_header_error(R"({"__metadata__": {"k": "\ud800"}})", 0, {"not JSON"});
  expect_header_error(R"({"__metadata__": null})", 0, {"null"});
  expect_header_error(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},})", 4, {"not JSON"});
  expect_header_error(R"({"a": {"dtype": "F32", "shape": [01], "data_offsets": [0, 4]}})", 4, {"not JSON"});
  expect_header_error(std::string(kTwo) + "{}", 24, {"not JSON"});
  expect_header_error("{\"a\xff\": {}}", 0, {"not JSON"});
  expect_header_error("[]", 0, {"begin with '{'"});
  expect_header_error("7", 0, {"begin with '{'"});
  expect_header_error(R"({"a": 7})", 0, {"a number at 'a'"});
  expect_header_error(R"({"a": {"shape": []}})", 0, {"no dtype"});
  expect_header_error(R"({"a": {"dtype": "F32"}})", 0, {"no shape"});
  expect_header_error(R"({"a": {"dtype": "F32", "shape": []}})", 0, {"no data_offsets"});
  expect_header_error(R"({"a": {"strides": [1]}})", 0, {"an array at 'strides' of 'a'"});
  expect_header_error(one("[-1]", "[0, 4]"), 4, {"a negative number"});
  expect_header_error(one("[1.0]", "[0, 4]"), 4, {"no integer"});
  expect_header_error(one("[99999999999999999999]", "[0, 4]"), 4, {"no integer"});
  expect_header_error(one("[[1]]", "[0, 4]"), 4, {"an array"});
  expect_header_error(one("[null]", "[0, 4]"), 4, {"null"});
  expect_header_error(one("[true]", "[0, 4]"), 4, {"a boolean"});
  expect_header_error(R"({"__metadata__": {"k": 1}})", 0, {"a number at 'k' of '__metadata__'"});
  expect_header_error(R"({"__metadata__": {"k": {}}})", 0, {"an object at 'k'"});
}

TEST(SafetensorsHeader, NamesMayNotRepeat) {
  const std::string a = R"("a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})";
  expect_header_error("{" + a + ", " + a + "}", 0, {"'a' twice"});
  expect_header_error(R"({"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, "\u0061": {}})", 0,
                      {"'a' twice"});
  expect_header_error(R"({"__metadata__": {}, "__metadata__": {}})", 0, {"'__metadata__' twice"});
  expect_header_error(R"({"__metadata__": {"k": "1", "k": "2"}})", 0, {"'k' twice"});
  expect_header_error(R"({"a": {"dtype": "F32", "dtype": "F32"}})", 0, {"dtype twice"});
}

TEST(SafetensorsHeader, DeepNestingIsRefusedAtOnce) {
  expect_header_error(R"({"a":)" + std::string(1 << 20, '['), 0, {"an array"});
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += R"({"a":)";
  expect_header_error(objects, 0, {"an object at 'a'"});
}

TEST(SafetensorsHeader, HostileNamesAreShownTamely) {
  expect_header_error(R"({"\u001b[2J": 7})", 0, {"'?[2J'"});
  expect_header_error("{\"" + std::string(1000, 'x') + "\": 7}", 0, {std::string(64, 'x') + "...'"});
}

class SafetensorsFile : public ::testing::Test {
 protected:
  void expect_file_error(const Bytes& bytes, std::initializer_list<std::string> parts) {
    const std::string path = folder_ / "model.safetensors";
    write_bytes(path, bytes);
    expect_error([&] { nn::SafetensorsFile{path}; }, parts);
    expect_error([&] { nn::SafetensorsFile{path}; }, {path});
  }

  TemporaryFolder folder_;
};

TEST_F(SafetensorsFile, WhatIsWrittenReadsBack) {
  std::vector<float> a(6), b(3);
  const std::vector<int8_t> c = {-63, 0, 63};
  std::iota(a.begin(), a.end(), 1.0f);
  std::iota(b.begin(), b.end(), -0.1f);
  const std::string path = folder_ / "model.safetensors";
  nn::write_safetensors(path, {{"key", "quote \" and \\ and \xc3\xa9"}},
                        {{"z", {2, 3}, a}, {"b", {3}, b}, {"c", {3}, c}});
  EXPECT_EQ(1u, folder_.entries()) << "a temporary file stayed";

  const Bytes bytes = read_bytes(path);
  EXPECT_EQ(0, bytes[0] % 8) << "the data is aligned to 8 bytes";

  nn::SafetensorsFile file(path);
  EXPECT_EQ("quote \" and \\ and \xc3\xa9", file.header().metadata.at("key"));
  std::vector<float> read_a(6), read_b(3);
  std::vector<int8_t> read_c(3), too_few(2);
  file.read("b", read_b);
  file.read("z", read_a);
  EXPECT_EQ(a, read_a);
  EXPECT_EQ(b, read_b);
  file.read("c", read_c);
  EXPECT_EQ(c, read_c);
  expect_error([&] { file.read("c", read_b); }, {path, "'c'", "has dtype I8, not F32"});
  expect_error([&] { file.read("z", read_c); }, {path, "'z'", "has dtype F32, not I8"});
  expect_error([&] { file.read("c", too_few); }, {path, "'c'", "3 bytes, not 2"});
  expect_error([&] { file.read("z", read_b); }, {path, "'z'", "24 bytes, not 12"});
}

TEST_F(SafetensorsFile, LengthOfTheHeaderIsChecked) {
  expect_file_error({}, {"too short"});
  expect_file_error({1, 2, 3}, {"too short"});
  expect_file_error({9, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, {"header of 9 bytes", "2 follow"});
  expect_file_error({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'}, {"18446744073709551615"});
  Bytes large = {1, 0xe1, 0xf5, 5, 0, 0, 0, 0};  // 100,000,001, of a file that is long enough
  write_bytes(folder_ / "model.safetensors", large);
  std::filesystem::resize_file(folder_ / "model.safetensors", 200'000'000);
  expect_error([&] { nn::SafetensorsFile{folder_ / "model.safetensors"}; }, {"100000001", "100 MB"});
}

TEST_F(SafetensorsFile, MissingFileAndFolderAreNamed) {
  expect_error([&] { nn::SafetensorsFile{folder_ / "none"}; }, {folder_ / "none", "does not exist"});
  expect_error([&] { nn::SafetensorsFile{folder_.path()}; }, {folder_.path()});
}

}  // namespace
}  // namespace idelta_test
