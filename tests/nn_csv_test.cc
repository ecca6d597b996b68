// CSV files as data sets: quoting, labels, split, scaling; and every fault with its place.
#include <clocale>
#include <cmath>
#include <map>
#include <numeric>

#include "nn/csv_set.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

class Csv : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    write_text(folder_ / name, text);
    return folder_ / name;
  }

  // All rows of a text in the order of the file, unscaled.
  nn::Dataset rows(const std::string& text, nn::LoadOptions options = {.scale = nn::Scale::kNone}) {
    const std::string path = write("rows.csv", text);
    return nn::load_csv_pair(path, path, nn::Split::kTrain, options);
  }

  // Reading a text fails with a sentence that has the name of the file and all the parts.
  void expect_rows_error(const std::string& text, std::initializer_list<std::string> parts,
                         const std::string& label = "") {
    SCOPED_TRACE(text);
    expect_error([&] { rows(text, {.label = label}); }, parts);
    expect_error([&] { rows(text, {.label = label}); }, {folder_ / "rows.csv"});
  }

  TemporaryFolder folder_;
};

using Names = std::vector<std::string>;
using Floats = std::vector<float>;

constexpr char kPlain[] = "height,width,kind\n1,2,b\n3,4,a\n5,6,b\n";

TEST_F(Csv, NamesNumbersAndLabelsAreRead) {
  const nn::Dataset data = rows(kPlain);
  EXPECT_EQ(3, data.count);
  EXPECT_EQ(1, data.height);
  EXPECT_EQ(2, data.width);
  EXPECT_EQ(2, data.classes);
  EXPECT_EQ((Names{"height", "width"}), data.feature_names);
  EXPECT_EQ((Names{"a", "b"}), data.class_names);
  EXPECT_EQ("kind", data.label_name);
  EXPECT_EQ((Floats{1, 2, 3, 4, 5, 6}), data.images);
  EXPECT_EQ((Bytes{1, 0, 1}), data.labels);
  EXPECT_TRUE(data.scaling.empty());
}

TEST_F(Csv, LineEndsMarkBlanksQuotesAndEmptyLinesDoNotMatter) {
  const nn::Dataset plain = rows(kPlain);
  for (const char* text :
       {"height,width,kind\r\n1,2,b\r\n3,4,a\r\n5,6,b\r\n", "\xef\xbb\xbfheight,width,kind\n1,2,b\n3,4,a\n5,6,b",
        "\"height\",\"width\" , kind\n 1 ,\"2\",b\n3,4,\"a\"\t\r\n5,6,b",
        "height,width,kind\n\n1,2,b\n3,4,a\n \n5,6,b\n\n", "height,width,kind\n+1,2.0,b\n3e0,4,a\n5,.6e1,b\n"}) {
    SCOPED_TRACE(text);
    const nn::Dataset data = rows(text);
    EXPECT_EQ(plain.feature_names, data.feature_names);
    EXPECT_EQ(plain.class_names, data.class_names);
    EXPECT_EQ(plain.images, data.images);
    EXPECT_EQ(plain.labels, data.labels);
  }
}

TEST_F(Csv, PackedFileIsRead) {
  write_gz(folder_ / "rows.csv.gz", Bytes(std::begin(kPlain), std::end(kPlain) - 1));
  const nn::Dataset data =
      nn::load_csv_pair(folder_ / "rows.csv.gz", "", nn::Split::kTrain, {.scale = nn::Scale::kNone});
  EXPECT_EQ((Floats{1, 2, 3, 4, 5, 6}), data.images);
}

TEST_F(Csv, QuotedFieldHoldsCommasAndQuotes) {
  const nn::Dataset data = rows("\"width, cm\",\"the \"\"kind\"\"\"\n1,\"x, y\"\n2,z\n");
  EXPECT_EQ((Names{"width, cm"}), data.feature_names);
  EXPECT_EQ("the \"kind\"", data.label_name);
  EXPECT_EQ((Names{"x, y", "z"}), data.class_names);
}

TEST_F(Csv, LineOfAFaultCountsLineEndsInQuotes) {
  expect_rows_error("a,b\n1,\"x\n\ny\"\nbad,z\n", {"line 2, column 2 ('b')", "control character"});
  expect_rows_error("a,b\n\n1,x\n\nbad,z\n", {"line 5, column 1 ('a')"});
}

TEST_F(Csv, LabelColumnIsTheNamedOneOrTheUsualOneOrTheLast) {
  EXPECT_EQ("c", rows("a,b,c\n1,2,3\n1,2,4\n").label_name);
  const nn::Dataset usual = rows("a,Target,c\n1,2,3\n4,5,6\n");
  EXPECT_EQ("Target", usual.label_name);
  EXPECT_EQ((Names{"a", "c"}), usual.feature_names);
  EXPECT_EQ((Floats{1, 3, 4, 6}), usual.images);
  const nn::Dataset asked = rows("a,class,c\n1,2,3\n4,5,6\n", {.scale = nn::Scale::kNone, .label = "a"});
  EXPECT_EQ((Names{"class", "c"}), asked.feature_names);
  EXPECT_EQ((Names{"1", "4"}), asked.class_names);
  expect_rows_error("a,class,label\n1,2,3\n4,5,6\n", {"'class' and 'label'", "--label"});
  expect_rows_error(kPlain, {"no column 'colour'", "'height', 'width', 'kind'"}, "colour");
}

TEST_F(Csv, WholeNumbersAreOrderedByValueAndTextsByBytes) {
  EXPECT_EQ((Names{"-1", "2", "10"}), rows("a,b\n1,10\n1,2\n1,-1\n").class_names);
  EXPECT_EQ((Bytes{2, 1, 0}), rows("a,b\n1,10\n1,2\n1,-1\n").labels);
  EXPECT_EQ((Names{"10", "2", "two"}), rows("a,b\n1,10\n1,two\n1,2\n").class_names);
  EXPECT_EQ((Names{"Zug", "auto", "\xc3\xa4hre"}), rows("a,b\n1,\xc3\xa4hre\n1,auto\n1,Zug\n").class_names);
}

TEST_F(Csv, NumbersDoNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, locale);
  EXPECT_EQ((Floats{1.5f, 2.25f}), rows("a,b\n1.5,x\n2.25,y\n").images);
  std::setlocale(LC_ALL, before.c_str());
}

TEST_F(Csv, ScalingIsThatOfEachFeature) {
  const std::string text = "a,b,c,kind\n0,10,7,x\n4,30,7,y\n1,20,7,x\n";
  const nn::Dataset unit = rows(text, {});
  EXPECT_EQ((Floats{0, 0, 0, 1, 1, 0, 0.25f, 0.5f, 0}), unit.images);
  EXPECT_EQ((std::vector<double>{0, 10, 7}), unit.scaling.offsets);
  EXPECT_EQ((std::vector<double>{0.25, 0.05, 0}), unit.scaling.factors);
  ASSERT_EQ(1u, unit.notes.size()) << "the constant feature";
  for (const char* part : {"rows.csv", "feature 3 ('c')", "constant", "remove"}) {
    EXPECT_NE(std::string::npos, unit.notes[0].find(part)) << unit.notes[0];
  }
  EXPECT_EQ(unit.notes, nn::warnings(unit, 2));
  EXPECT_EQ((Floats{-1, -1, 0, 1, 1, 0, -0.5f, 0, 0}), rows(text, {.scale = nn::Scale::kMinusOneToOne}).images);
}

TEST_F(Csv, LargeOffsetsKeepTheirDifferences) {
  // Neighbours in fp32 are 128 apart there.
  EXPECT_EQ((Floats{0, 0.5f, 1}), rows("t,kind\n1700000000,x\n1700000001,y\n1700000002,x\n", {}).images);
}

TEST_F(Csv, PairHasTheRangesAndClassesOfItsTrainingFile) {
  write("train.csv", "a,kind\n0,z\n10,x\n5,y\n");
  write("test.csv", "a,kind\n20,y\n5,z\n");
  const nn::Dataset test = nn::load_dataset(folder_.path(), nn::Split::kTest);
  EXPECT_EQ((Floats{2, 0.5f}), test.images);
  EXPECT_EQ((Names{"x", "y", "z"}), test.class_names);
  EXPECT_EQ((Bytes{1, 2}), test.labels);
  EXPECT_EQ(folder_ / "test.csv", test.images_path);
  EXPECT_EQ(3, nn::load_dataset(folder_.path(), nn::Split::kTrain).count);
  write("test.csv", "a,kind\n20,w\n");
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); },
               {folder_ / "test.csv", "line 2, column 2 ('kind')", "'w' is none of the 3 classes"});
  write("test.csv", "b,kind\n20,x\n");
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); },
               {folder_ / "test.csv", folder_ / "train.csv", "feature 1 is 'b', not 'a'"});
  std::filesystem::remove(folder_ / "test.csv");
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); }, {folder_.path(), "test.csv.gz", "split"});
}

TEST_F(Csv, NetworkSaysScalingLabelsAndClasses) {
  nn::NetworkOptions network{.height = 1, .width = 1, .classes = 3};
  network.feature_names = {"a"};
  network.class_names = {"z", "y", "x"};
  network.label_name = "kind";
  network.scaling = {{10}, {0.5}};
  write("train.csv", "other,column\n0,z\n");
  write("test.csv", "kind,a\ny,12\nx,10\n");
  const nn::Dataset test = nn::load_dataset(folder_.path(), nn::Split::kTest, {.network = &network});
  EXPECT_EQ((Floats{1, 0}), test.images);
  EXPECT_EQ((Bytes{1, 2}), test.labels);
  EXPECT_EQ(network.class_names, test.class_names);
  EXPECT_TRUE(test.notes.empty());
  network.feature_names = {"b"};
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest, {.network = &network}); },
               {folder_ / "test.csv", "feature 1 is 'a', not 'b'"});
  network.feature_names = {};
  network.width = 2;
  network.scaling = {};
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest, {.network = &network}); },
               {folder_ / "test.csv", "1 features, not 2"});
}

// 30 rows of x, 11 of y, 2 of z and 1 of w: feature a is the number of the row.
std::string uneven() {
  std::string text = "a,kind\n";
  for (int i = 0; i < 44; ++i) {
    text += std::to_string(i) + "," + (i < 30 ? "x" : i < 41 ? "y" : i < 43 ? "z" : "w") + "\n";
  }
  return text;
}

TEST_F(Csv, OneFileIsSplitByClassIntoDisjointPartsInItsOrder) {
  const std::string path = write("all.csv", uneven());
  const nn::LoadOptions as_is{.scale = nn::Scale::kNone};
  const nn::Dataset train = nn::load_dataset(path, nn::Split::kTrain, as_is);
  const nn::Dataset test = nn::load_dataset(path, nn::Split::kTest, as_is);
  std::map<int, int> of_class;
  for (const uint8_t label : test.labels) ++of_class[label];
  EXPECT_EQ((std::map<int, int>{{1, 6}, {2, 2}, {3, 1}}), of_class) << "a fifth of each, rounded; none of one row";
  for (const nn::Dataset* set : {&train, &test}) EXPECT_TRUE(std::is_sorted(set->images.begin(), set->images.end()));
  Floats both = train.images;
  both.insert(both.end(), test.images.begin(), test.images.end());
  std::sort(both.begin(), both.end());
  Floats all(44);
  std::iota(all.begin(), all.end(), 0.0f);
  EXPECT_EQ(all, both);
  // These very rows, on every machine and for good: models were trained without them.
  EXPECT_EQ((Floats{4, 8, 11, 12, 14, 20, 32, 33, 41}), test.images);
}

TEST_F(Csv, ShareOfAClassIsRoundedToTheNearest) {
  std::string text = "a,kind\n";
  for (int i = 0; i < 15; ++i) text += std::to_string(i) + (i < 8 ? ",x\n" : ",y\n");
  const nn::Dataset test = nn::load_dataset(write("all.csv", text), nn::Split::kTest);
  EXPECT_EQ((Bytes{0, 0, 1}), test.labels) << "1.6 of 8 rows and 1.4 of 7";
}

TEST_F(Csv, RangesOfOneFileAreThoseOfItsTrainingRows) {
  const std::string path = write("all.csv", uneven());
  const nn::Dataset test = nn::load_dataset(path, nn::Split::kTest), train = nn::load_dataset(path, nn::Split::kTrain);
  EXPECT_EQ(train.scaling, test.scaling);
  EXPECT_EQ(0.0f, *std::min_element(train.images.begin(), train.images.end()));
  EXPECT_EQ(1.0f, *std::max_element(train.images.begin(), train.images.end()));
  const nn::Dataset first = nn::load_dataset(path, nn::Split::kTrain, 5);
  EXPECT_EQ(5, first.count);
  EXPECT_EQ(train.scaling, first.scaling) << "those of all training rows";
  EXPECT_EQ(4, first.classes);
}

TEST_F(Csv, FileOfClassNamesOrdersOrRenamesTheLabels) {
  const std::string path = write("all.csv", uneven());
  const std::string names = write("names", "z\ny\r\nx\nw\n\n");
  const nn::Dataset ordered = nn::load_dataset(path, nn::Split::kTrain, {.classes_path = names});
  EXPECT_EQ((Names{"z", "y", "x", "w"}), ordered.class_names);
  EXPECT_EQ(2, ordered.labels.front());
  write("names", "z\ny\nx\nv\n");
  expect_error([&] { nn::load_dataset(path, nn::Split::kTrain, {.classes_path = names}); },
               {names, "names no class 'w'", path});
  write("names", "z\ny\n");
  expect_error([&] { nn::load_dataset(path, nn::Split::kTrain, {.classes_path = names}); },
               {names, "2 class names", path, "4 classes"});
  write("train.csv", "a,kind\n1,0\n2,1\n");
  write("test.csv", "a,kind\n1,1\n");
  write("classes.txt", "no\nyes\n");
  const nn::Dataset renamed = nn::load_dataset(folder_.path(), nn::Split::kTest);
  EXPECT_EQ((Names{"no", "yes"}), renamed.class_names);
  EXPECT_EQ((Bytes{1}), renamed.labels);
}

TEST_F(Csv, HeaderFaultsAreNamed) {
  expect_rows_error("", {"is empty", "column names"});
  expect_rows_error("\n\n", {"is empty"});
  expect_rows_error("a,b\n", {"no rows"});
  expect_rows_error("a;b\n1;2\n", {"line 1 has one column", "by commas"});
  expect_rows_error("a\n1\n", {"line 1 has one column"});
  expect_rows_error(",a,b\n0,1,x\n", {"line 1, column 1: the name is empty", "remove the column"});
  expect_rows_error("a,b,a\n1,2,3\n", {"two columns 'a'"});
  expect_rows_error("a,\xff\n1,2\n", {"line 1, column 2", "not UTF-8"});
  expect_rows_error("150,4,setosa\n5.1,3.5,0\n", {"line 1, column 1 is named '150', a number", "names above the rows"});
  EXPECT_EQ((Names{"0", "1"}), rows("0,1,kind\n1,2,x\n3,4,y\n").feature_names) << "as pandas counts columns";
}

TEST_F(Csv, RowFaultsAreNamedWithLineAndColumn) {
  expect_rows_error("a,b\n1,x\n2\n", {"line 3 has 1 field, but line 1 names 2 columns"});
  expect_rows_error("a,b\n1,x\n2,y,z\n", {"line 3 has 3 fields"});
  expect_rows_error("a,b,c\n1,2,x\n3,,y\n", {"line 3, column 2 ('b') is empty", "leave the row out"});
  expect_rows_error("a,b\nNA,x\n", {"line 2, column 1 ('a'): 'NA' is not a number"});
  expect_rows_error("a,b\n\"1,5\",x\n", {"'1,5' is not a number", "decimal point"});
  expect_rows_error("a,b\n0x10,x\n", {"'0x10' is not a number"});
  expect_rows_error("a,b\n1 2,x\n", {"'1 2' is not a number"});
  for (const char* number : {"nan", "inf", "-Infinity", "1e39", "1e999"}) {
    expect_rows_error(std::string("a,b\n") + number + ",x\n", {"line 2, column 1", number, "not a finite number"});
  }
  expect_rows_error("a,b\n1,\n", {"line 2, column 2 ('b'): the label is empty"});
  expect_rows_error("a,b\n1,x\n2,x\n", {"'x' in column 'b'", "a single class"});
}

TEST_F(Csv, QuoteFaultsAreNamed) {
  expect_rows_error("a,b\n1,\"x\n", {"line 2, column 2", "not closed"});
  expect_rows_error("a,b\n1,\"x\"y\n", {"line 2, column 2", "after its closing quote"});
  expect_rows_error("a,b\n1,x\"y\n", {"line 2, column 2", "inside a field"});
  expect_rows_error("a,b\n1," + std::string(100000, 'x'), {"line 2, column 2", "longer"});
}

TEST_F(Csv, MoreClassesThanBytesHoldAreNamed) {
  std::string text = "a,b\n";
  for (int i = 0; i < 257; ++i) text += "1," + std::to_string(i) + ".5\n";
  expect_rows_error(text, {"line 258, column 2 ('b')", "class 257", "256", "--label"});
}

TEST_F(Csv, ValueThatOverflowsWhenScaledIsNamed) {
  write("train.csv", "a,kind\n0,x\n1e-30,y\n");
  write("test.csv", "a,kind\n0,x\n1e30,y\n");
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); },
               {folder_ / "test.csv", "line 3, column 1 ('a')", "overflows"});
}

TEST_F(Csv, FaultsOfThePlaceAreNamed) {
  const std::string missing = folder_ / "none.csv";
  expect_error([&] { nn::load_dataset(missing, nn::Split::kTrain); }, {missing, "does not exist"});
  const std::string one = write("one.csv", "a,b\n1,x\n2,y\n");
  expect_error([&] { nn::load_dataset(one, nn::Split::kTest); }, {one, "two rows"});
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest, {.most = 0}); }, {"most is 0"});
}

TEST_F(Csv, ModelFileKeepsNamesLabelAndScaling) {
  const std::string path =
      write("all.csv", "\"width, cm\",thickness,kind\n1,-3,\xc3\xa4\n0.1,7,b\n1e-3,7,\xc3\xa4\n4,1,b\n");
  const nn::Dataset data = nn::load_csv_pair(path, path, nn::Split::kTrain, {});
  nn::NetworkOptions options{.layers = 2, .height = 1, .width = 2, .classes = 2};
  options.feature_names = data.feature_names;
  options.class_names = data.class_names;
  options.label_name = data.label_name;
  options.scaling = data.scaling;
  const std::string model = folder_ / "model.safetensors";
  nn::save_model(model, nn::Network(nn_context(1), options));
  const nn::NetworkOptions loaded = nn::load_model(nn_context(1), model).options();
  EXPECT_EQ(options.feature_names, loaded.feature_names);
  EXPECT_EQ(options.class_names, loaded.class_names);
  EXPECT_EQ(options.label_name, loaded.label_name);
  EXPECT_EQ(options.scaling, loaded.scaling) << "to the bit";
  // A changed name is a damaged file.
  Bytes bytes = read_bytes(model);
  const std::string name = "thickness";
  const auto at = std::search(bytes.begin(), bytes.end(), name.begin(), name.end());
  ASSERT_NE(bytes.end(), at);
  *at = 'T';
  write_bytes(model, bytes);
  expect_error([&] { nn::load_model(nn_context(1), model); }, {model, "metadata is not what was saved"});
}

TEST_F(Csv, NetworkRefusesNamesOfAnotherNumber) {
  nn::NetworkOptions options{.layers = 1, .height = 1, .width = 2, .classes = 2};
  options.feature_names = {"a"};
  expect_error([&] { const nn::Network network(nn_context(1), options); }, {"1 feature_names", "give 2, or none"});
  options.feature_names = {};
  options.scaling = {{0, 0}, {1}};
  expect_error([&] { const nn::Network network(nn_context(1), options); }, {"factors of the scaling", "give 2"});
}

}  // namespace
}  // namespace idelta_test
