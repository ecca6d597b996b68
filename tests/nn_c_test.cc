// nn.h against nn.hpp: the same bits and files; callbacks; what is shared. consumer_c/networks.c is a whole program in
// C.
#include <cfenv>
#include <thread>

#include "nn_c_support.h"

namespace idelta_test {
namespace {

TEST_F(NnC, TrainsToTheFileOfCpp) {
  train();
  nn::save_model(folder / "cpp.safetensors", trained_in_cpp());
  EXPECT_OK(idelta_network_save(network.get(), (folder / "c.safetensors").c_str(), nullptr));
  EXPECT_EQ(read_bytes(folder / "cpp.safetensors"), read_bytes(folder / "c.safetensors"));

  const auto bytes = made<idelta_bytes>([&](auto** p) { return idelta_network_to_bytes(network.get(), nullptr, p); });
  const auto* const first = static_cast<const uint8_t*>(idelta_bytes_data(bytes.get()));
  EXPECT_EQ(read_bytes(folder / "c.safetensors"), Bytes(first, first + idelta_bytes_size(bytes.get())));
  const auto again = made<idelta_network>(
      [&](auto** p) { return idelta_network_from_bytes(context.get(), first, idelta_bytes_size(bytes.get()), p); });
  const auto loaded = made<idelta_network>(
      [&](auto** p) { return idelta_network_load(context.get(), (folder / "cpp.safetensors").c_str(), p); });
  char of_bytes[17], of_file[17];
  EXPECT_OK(idelta_network_hash(again.get(), of_bytes));
  EXPECT_OK(idelta_network_hash(loaded.get(), of_file));
  EXPECT_EQ(hash(), of_bytes);
  EXPECT_EQ(hash(), of_file);
  idelta_network* none = nullptr;
  expect_refused(IDELTA_FILE_ERROR,
                 idelta_network_from_bytes(context.get(), first, idelta_bytes_size(bytes.get()) - 1, &none),
                 {"the model's bytes"});
  EXPECT_EQ(nullptr, none);
}

TEST_F(NnC, EvaluatesLikeCpp) {
  train();
  const nn::Network same = trained_in_cpp();
  const nn::Evaluation wanted = nn::evaluate(same, data);
  double accuracy[kLayers], frobenius[kLayers], ulp[kLayers], input = 0, last = 0;
  int64_t decided[kLayers];
  idelta_evaluation to = IDELTA_EVALUATION_INIT;
  to.batch = 7;
  to.accuracy = accuracy;
  to.frobenius_ratio = frobenius;
  to.completeness_ulp = ulp;
  to.decided = decided;
  to.input_accuracy = &input;
  EXPECT_OK(idelta_network_evaluate(network.get(), dataset.get(), &to));
  EXPECT_OK(idelta_network_accuracy(network.get(), dataset.get(), 0, &last));
  for (size_t l = 0; l < kLayers; ++l) {
    EXPECT_EQ(wanted.layers[l].accuracy, accuracy[l]);
    EXPECT_EQ(wanted.layers[l].frobenius_ratio, frobenius[l]);
    EXPECT_EQ(wanted.closure[l].sum_ulp, ulp[l]);
    EXPECT_EQ(wanted.decided[l], decided[l]);
  }
  EXPECT_EQ(wanted.input_accuracy, input);
  double spectral[kLayers];  // alone
  to.frobenius_ratio = nullptr;
  to.spectral_norm = spectral;
  EXPECT_OK(idelta_network_evaluate(network.get(), dataset.get(), &to));
  for (size_t l = 0; l < kLayers; ++l) EXPECT_EQ(wanted.layers[l].spectral_norm, spectral[l]);
  EXPECT_EQ(wanted.layers.back().accuracy, last);

  const std::vector<nn::ReadOut> outs = nn::read_outs(same, data);
  std::vector<int32_t> predictions(outs.size() * kLayers), first_final(outs.size());
  std::vector<float> margins(outs.size());
  idelta_read_outs read = IDELTA_READ_OUTS_INIT;
  read.predictions = predictions.data();
  read.first_final_layer = first_final.data();
  read.final_margin = margins.data();
  EXPECT_OK(idelta_network_read_outs(network.get(), dataset.get(), &read));
  for (size_t i = 0; i < outs.size(); ++i) {
    for (size_t l = 0; l < kLayers; ++l) EXPECT_EQ(outs[i].predictions[l], predictions[i * kLayers + l]);
    EXPECT_EQ(outs[i].first_final_layer, first_final[i]);
    EXPECT_EQ(outs[i].final_margin, margins[i]);
  }
}

// Also of images with gaps between their rows, and with outputs that are not wanted.
TEST_F(NnC, DecomposesLikeCpp) {
  train();
  const nn::Network same = trained_in_cpp();
  constexpr int64_t kRows = 11, kStride = kPixels + 3;
  std::vector<float> gaps(kRows * kStride, NAN);
  for (int64_t i = 0; i < kRows; ++i)
    std::copy_n(&data.images[size_t(i * kPixels)], kPixels, &gaps[size_t(i * kStride)]);
  const size_t wide = kLayers * kRows * kWidth, scores = kRows * kClasses;
  std::vector<float> steps(wide), wanted_steps(wide), features(wide), likelihoods(kLayers * scores), last(scores),
      logits(scores);
  nn::decompose(same, kRows, data.images.data(),
                {.steps = wanted_steps.data(), .class_likelihoods = likelihoods.data()});
  idelta_decompose_args args = IDELTA_DECOMPOSE_ARGS_INIT;
  args.rows = kRows;
  args.images = gaps.data();
  args.ld = kStride;
  args.batch = 4;
  args.steps = steps.data();
  args.features = features.data();
  args.logits = logits.data();
  args.final_likelihoods = last.data();
  EXPECT_OK(idelta_network_decompose(network.get(), &args));
  EXPECT_EQ(wanted_steps, steps);
  EXPECT_EQ(std::vector<float>(likelihoods.end() - static_cast<ptrdiff_t>(scores), likelihoods.end()), last);
  for (int64_t i = 0; i < kRows; ++i) {
    const float* const h = features.data() + ((kLayers - 1) * kRows + i) * kWidth;
    EXPECT_TRUE(std::equal(h + kPixels, h + kWidth, logits.data() + i * kClasses));
  }

  const int32_t classes[2] = {3, 9};
  std::vector<float> maps(2 * kPixels), terms(kWidth);
  double rests[2];
  idelta_class_maps_args of_classes = IDELTA_CLASS_MAPS_ARGS_INIT;
  of_classes.rows = 2;
  of_classes.images = data.images.data();
  of_classes.ld = kPixels;
  of_classes.classes = classes;
  of_classes.maps = maps.data();
  of_classes.rests = rests;
  EXPECT_OK(idelta_network_class_maps(network.get(), &of_classes));
  const nn::ClassMap map = nn::class_map(same, std::span(data.images).subspan(kPixels, kPixels), 9);
  EXPECT_TRUE(std::equal(map.map.begin(), map.map.end(), maps.begin() + kPixels));
  EXPECT_EQ(map.rest, rests[1]);
  const nn::NeuronSplit split = nn::neuron_split(same, std::span(data.images).first(kPixels), 1, 70);
  std::vector<double> parts(kWidth);
  float contribution = 0;
  EXPECT_OK(idelta_network_neuron(network.get(), data.images.data(), 1, 70, parts.data(), nullptr, &contribution));
  EXPECT_EQ(split.terms, parts);
  EXPECT_EQ(split.contribution, contribution);
}

TEST_F(NnC, PredictsWithGuaranteeLikeCpp) {
  train();
  nn::Network same = trained_in_cpp();
  idelta_compress_options how = IDELTA_COMPRESS_OPTIONS_INIT;
  how.rank = 8;
  EXPECT_OK(idelta_network_compress(network.get(), &how));
  same.set_forms(nn::compress(same, {.rank = 8}, data));
  const nn::Predictions wanted = nn::predict(same, data, {.guarantee = true});

  std::vector<int32_t> found(labels.size()), settled_by(labels.size());
  std::vector<float> margins(labels.size()), bounds(labels.size());
  int64_t settled[2], tried[2];
  idelta_predict_args args = IDELTA_PREDICT_ARGS_INIT;
  args.rows = data.count;
  args.images = data.images.data();
  args.ld = kPixels;
  args.batch = 5;
  args.guarantee = 1;
  args.labels = found.data();
  args.margins = margins.data();
  args.bounds = bounds.data();
  args.settled_by = settled_by.data();
  args.settled = settled;
  args.tried = tried;
  EXPECT_OK(idelta_network_predict(network.get(), &args));
  EXPECT_TRUE(std::equal(found.begin(), found.end(), wanted.labels.begin()));
  EXPECT_TRUE(std::equal(settled_by.begin(), settled_by.end(), wanted.settled_by.begin()));
  EXPECT_EQ(wanted.margins, margins);
  EXPECT_EQ(wanted.bounds, bounds);
  EXPECT_TRUE(std::equal(settled, settled + 2, wanted.settled.begin()) &&
              std::equal(tried, tried + 2, wanted.tried.begin()));

  idelta_form_info_t form = IDELTA_FORM_INFO_INIT;
  EXPECT_OK(idelta_network_form(network.get(), 0, &form));
  EXPECT_EQ(same.forms()->form(0).name, form.name);
  EXPECT_EQ(8, form.ranks[0]);
  EXPECT_EQ(IDELTA_TAIL_NONE, form.tails[0]);
  EXPECT_EQ(nn::expected_time(same.context(), same.forms()->form(0), kWidth), form.time);
  expect_refused(idelta_network_form(network.get(), 1, &form), {"form = 1 is not in 0 .. 0"});

  const idelta_save_options drop = {sizeof drop, 1};
  EXPECT_OK(idelta_network_save(network.get(), (folder / "small.safetensors").c_str(), &drop));
  const auto small = made<idelta_network>(
      [&](auto** p) { return idelta_network_load(context.get(), (folder / "small.safetensors").c_str(), p); });
  expect_refused(idelta_network_predict(small.get(), &args), {"dropped D"});
  EXPECT_OK(idelta_network_attach_forms(small.get(), network.get()));
}

TEST_F(NnC, CompressesWithTailsLikeCpp) {
  train();
  nn::Network same = trained_in_cpp();
  idelta_compress_options how = IDELTA_COMPRESS_OPTIONS_INIT;
  how.rank = 8;
  how.tail = IDELTA_TAIL_INT8;
  EXPECT_OK(idelta_network_compress(network.get(), &how));
  same.set_forms(nn::compress(same, {.rank = 8, .tail = IDELTA_TAIL_INT8}, data));
  idelta_form_info_t form = IDELTA_FORM_INFO_INIT;
  EXPECT_OK(idelta_network_form(network.get(), 0, &form));
  EXPECT_STREQ("rank 8 + int8", form.name);
  EXPECT_EQ(IDELTA_TAIL_INT8, form.tails[0]);
  EXPECT_EQ(nn::expected_time(same.context(), same.forms()->form(0), kWidth), form.time);
  how.tail = static_cast<idelta_tail>(7);
  expect_refused(idelta_network_compress(network.get(), &how), {"tail is 7", "0 for none or 1 for int8"});
}

// The observer may save, and stop; the run goes on from either to the bits of the one without a break.
TEST_F(NnC, StopsAndResumes) {
  const std::string wanted = nn::parameters_hash(trained_in_cpp()), path = folder / "run.checkpoint";
  const idelta_train_options how = train_options();
  auto trainer =
      made<idelta_trainer>([&](auto** p) { return idelta_trainer_create(network.get(), dataset.get(), &how, p); });
  struct Seen {
    idelta_trainer* trainer;
    std::string path;
    int64_t batches = 0;
  } seen{trainer.get(), path};
  const auto observer = [](void* user, const idelta_progress* progress) -> int32_t {
    auto& s = *static_cast<Seen*>(user);
    EXPECT_EQ(sizeof *progress, progress->struct_size);
    if (++s.batches < 7) return 0;
    EXPECT_OK(idelta_trainer_save(s.trainer, s.path.c_str()));
    return 1;
  };
  int32_t finished = -1;
  EXPECT_OK(idelta_trainer_run(trainer.get(), observer, &seen, &finished));
  EXPECT_EQ(0, finished);
  EXPECT_EQ(7, seen.batches);
  double accuracy = 0;
  EXPECT_OK(idelta_network_accuracy(network.get(), dataset.get(), 0, &accuracy));

  int64_t images = 0, epoch = 0, image = 0;
  idelta_train_options found = IDELTA_TRAIN_OPTIONS_INIT;
  EXPECT_OK(idelta_checkpoint_read(path.c_str(), &found, &images, &epoch, &image));
  EXPECT_EQ(how.learning_rate, found.learning_rate);
  EXPECT_EQ(data.count, images);
  EXPECT_EQ(1, epoch);
  EXPECT_EQ(64, image);
  auto other =
      made<idelta_network>([&](auto** p) { return idelta_checkpoint_network(context.get(), path.c_str(), p); });
  auto resumed = made<idelta_trainer>(
      [&](auto** p) { return idelta_trainer_resume(other.get(), dataset.get(), path.c_str(), p); });
  // The trainer keeps what it needs of both.
  dataset.reset();
  const auto network_of_run = std::move(network);
  EXPECT_OK(idelta_trainer_run(resumed.get(), nullptr, nullptr, &finished));
  EXPECT_EQ(1, finished);
  EXPECT_OK(idelta_trainer_run(trainer.get(), nullptr, nullptr, &finished));
  char digits[17];
  for (const idelta_network* each : {other.get(), network_of_run.get()}) {
    EXPECT_OK(idelta_network_hash(each, digits));
    EXPECT_EQ(wanted, digits);
  }
}

TEST_F(NnC, LayersGoInAndOut) {
  train();
  constexpr int64_t kStride = kWidth + 5;
  std::vector<float> D(kWidth * kStride, -1.0f), b(kWidth);
  EXPECT_OK(idelta_network_layer(network.get(), 1, D.data(), kStride, b.data()));
  EXPECT_EQ(-1.0f, D[kWidth]) << "between rows";
  const std::string before = hash();
  const std::vector<float> zeros(kWidth * kWidth);
  EXPECT_OK(idelta_network_set_layer(network.get(), 1, zeros.data(), kWidth, zeros.data()));
  EXPECT_NE(before, hash());
  EXPECT_OK(idelta_network_set_layer(network.get(), 1, D.data(), kStride, b.data()));
  EXPECT_EQ(before, hash());
  D[kStride * 2] = NAN;
  expect_refused(idelta_network_set_layer(network.get(), 1, D.data(), kStride, b.data()), {"D is not finite in row 2"});
  EXPECT_EQ(before, hash());
  EXPECT_OK(idelta_network_set_compute(network.get(), IDELTA_FORMAT_BF16, 0));
  idelta_network_info_t info = IDELTA_NETWORK_INFO_INIT;
  EXPECT_OK(idelta_network_info(network.get(), &info));
  EXPECT_EQ(IDELTA_FORMAT_BF16, info.compute);
  EXPECT_EQ(kWidth, info.n);
  EXPECT_EQ(before, hash());
}

// What the set is made of goes through the network into its file and out again.
TEST_F(NnC, NamesAndScalingAreKept) {
  const float rows[] = {1, 10, 3, 20, 2, 40};
  const int32_t classes[] = {0, 1, 0};
  const char *features[] = {"length", "width"}, *names[] = {"rose", "violet"};
  idelta_dataset_args args = IDELTA_DATASET_ARGS_INIT;
  args.count = 3;
  args.width = args.ld = 2;
  args.classes = 2;
  args.images = rows;
  args.labels = classes;
  args.feature_names = features;
  args.class_names = names;
  args.label_name = "flower";
  args.scale = IDELTA_SCALE_ZERO_TO_ONE;
  const auto set = made<idelta_dataset>([&](auto** p) { return idelta_dataset_create(&args, p); });
  idelta_network_options flowers = IDELTA_NETWORK_OPTIONS_INIT;
  flowers.layers = 2;
  EXPECT_OK(idelta_network_options_for(set.get(), &flowers));
  const auto made_of =
      made<idelta_network>([&](auto** p) { return idelta_network_create(context.get(), &flowers, p); });
  EXPECT_OK(idelta_network_save(made_of.get(), (folder / "m").c_str(), nullptr));
  const auto loaded =
      made<idelta_network>([&](auto** p) { return idelta_network_load(context.get(), (folder / "m").c_str(), p); });
  idelta_network_info_t info = IDELTA_NETWORK_INFO_INIT;
  EXPECT_OK(idelta_network_info(loaded.get(), &info));
  EXPECT_STREQ("width", info.feature_names[1]);
  EXPECT_STREQ("violet", info.class_names[1]);
  EXPECT_STREQ("flower", info.label_name);
  EXPECT_EQ(10, info.offsets[1]);

  float scaled[2];
  const float row[] = {2, 25};
  EXPECT_OK(idelta_network_scale(loaded.get(), 1, row, 2, scaled, 2));
  EXPECT_EQ(0.5f, scaled[0]);
  EXPECT_EQ(0.5f, scaled[1]);
  // The same by a set that is made for the network.
  args.count = 1;
  args.images = row;
  args.scale = IDELTA_SCALE_USUAL;
  args.network = loaded.get();
  const auto test = made<idelta_dataset>([&](auto** p) { return idelta_dataset_create(&args, p); });
  idelta_dataset_info_t of_test = IDELTA_DATASET_INFO_INIT;
  EXPECT_OK(idelta_dataset_info(test.get(), &of_test));
  EXPECT_EQ(0.5f, of_test.images[1]);
  EXPECT_STREQ("arrays", of_test.name);
}

TEST_F(NnC, GeometryAndRolesAreThoseOfCpp) {
  train();
  const nn::Network same = trained_in_cpp();
  const nn::WeightGeometry weights = nn::weight_geometry(same, 4);
  double cosine[kLayers], left[kLayers * kLayers], separation[kLayers + 1], probe[kLayers + 1], rise[kLayers];
  float values[kLayers * kWidth];
  idelta_weight_geometry to = IDELTA_WEIGHT_GEOMETRY_INIT;
  to.vectors = 4;
  to.cosine_to_identity = cosine;
  to.left_alignment = left;
  to.singular_values = values;
  EXPECT_OK(idelta_network_weight_geometry(network.get(), &to));
  idelta_feature_geometry features = IDELTA_FEATURE_GEOMETRY_INIT;
  features.separation = separation;
  EXPECT_OK(idelta_network_feature_geometry(network.get(), dataset.get(), nullptr, &features));
  idelta_probes probes = IDELTA_PROBES_INIT;
  probes.accuracy = probe;
  EXPECT_OK(idelta_network_probes(network.get(), dataset.get(), dataset.get(), &probes));
  int64_t lost[kLayers];
  idelta_lesions lesions = IDELTA_LESIONS_INIT;
  lesions.lost = lost;
  EXPECT_OK(idelta_network_lesions(network.get(), dataset.get(), &lesions));
  idelta_role role[kLayers];
  std::vector<std::string> sentences;
  idelta_roles roles = IDELTA_ROLES_INIT;
  roles.role = role;
  roles.probe_rise = rise;
  roles.sentence = collect;
  roles.user = &sentences;
  EXPECT_OK(idelta_network_roles(network.get(), dataset.get(), dataset.get(), &roles));

  const std::vector<nn::FeatureReport> reports = nn::feature_reports(same, data, data);
  const nn::Probes probed = nn::probe(same, data, data);
  const std::vector<nn::Lesion> lesioned = nn::lesions(same, data);
  const nn::Evidence seed = nn::evidence(nn::evaluate(same, data), probed, lesioned);
  const std::vector<nn::RoleReport> wanted = nn::roles({&seed, 1});
  EXPECT_EQ(probed.input.accuracy, probe[0]);
  EXPECT_EQ(reports[0].separation, separation[0]);
  for (size_t l = 0; l < kLayers; ++l) {
    EXPECT_EQ(weights.layers[l].cosine_to_identity, cosine[l]);
    EXPECT_EQ(weights.layers[l].singular_values[1], values[l * kWidth + 1]);
    EXPECT_EQ(weights.alignment.left[l], left[l]);
    EXPECT_EQ(reports[l + 1].separation, separation[l + 1]);
    EXPECT_EQ(probed.layers[l].accuracy, probe[l + 1]);
    EXPECT_EQ(lesioned[l].lost, lost[l]);
    EXPECT_EQ(wanted[l].probe_rise, rise[l]);
    EXPECT_STREQ(nn::role_name(wanted[l].role), idelta_role_name(role[l]));
    EXPECT_EQ(wanted[l].sentence, sentences[l]);
  }
}

// The caller's mode of rounding and of denormals changes no bit, and comes back.
TEST_F(NnC, KeepsTheFloatModeOfItsCaller) {
  train();
  const std::string wanted = hash();
  network = made<idelta_network>([&](auto** p) { return idelta_network_create(context.get(), &options(), p); });
  ASSERT_EQ(0, std::fesetround(FE_UPWARD));
  train();
  EXPECT_EQ(FE_UPWARD, std::fegetround());
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(wanted, hash());
}

TEST_F(NnC, SharedByThreads) {
  train();
  std::vector<std::vector<int32_t>> found(4, std::vector<int32_t>(labels.size()));
  std::vector<std::thread> threads;
  for (std::vector<int32_t>& each : found) {
    threads.emplace_back([&] {
      idelta_predict_args args = IDELTA_PREDICT_ARGS_INIT;
      args.rows = data.count;
      args.images = data.images.data();
      args.ld = kPixels;
      args.labels = each.data();
      EXPECT_OK(idelta_network_predict(network.get(), &args));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& each : found) EXPECT_EQ(found[0], each);
}

}  // namespace
}  // namespace idelta_test
