// Calls of idelta/nn.h with arguments made of the input: whatever they are, a call does what it says or refuses them by
// a status and a sentence.
#include <idelta/nn.h>

#include <cstdint>

#include "arguments.h"

namespace idelta_fuzz {
namespace {

const idelta_context* one_context() {
  static const idelta_context* const one = [] {
    idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
    options.threads = 1;
    idelta_context* context = nullptr;
    if (idelta_context_create(&options, &context) != IDELTA_OK) std::abort();
    return context;
  }();
  return one;
}

void see_text(void* user, const char* text) { *static_cast<size_t*>(user) += std::strlen(text); }
void see_setting(void* user, const char* name, const char* value) {
  *static_cast<size_t*>(user) += std::strlen(name) + std::strlen(value);
}
int32_t stop_soon(void* user, const idelta_progress* progress) {
  return ++*static_cast<int*>(user) > 4 || progress->batches < 1 ? 1 : 0;
}

class NetworkCalls {
 public:
  NetworkCalls(const uint8_t* bytes, size_t count) : args_(bytes, count) {}
  ~NetworkCalls() {
    for (idelta_network* network : networks_) idelta_network_destroy(network);
    for (idelta_dataset* set : sets_) idelta_dataset_destroy(set);
  }
  NetworkCalls(const NetworkCalls&) = delete;
  NetworkCalls& operator=(const NetworkCalls&) = delete;

  void run() {
    constexpr void (NetworkCalls::*kAll[])() = {
        &NetworkCalls::create,    &NetworkCalls::create_set, &NetworkCalls::inquire, &NetworkCalls::inquire_set,
        &NetworkCalls::set_layer, &NetworkCalls::bytes,      &NetworkCalls::train,   &NetworkCalls::step,
        &NetworkCalls::evaluate,  &NetworkCalls::decompose,  &NetworkCalls::predict, &NetworkCalls::compress,
        &NetworkCalls::geometry,  &NetworkCalls::scale,      &NetworkCalls::roles,   &NetworkCalls::class_maps};
    create(), create_set();
    for (int call = 0; call < 8 && args_.more(); ++call) (this->*kAll[args_.below(std::size(kAll))])();
  }

 private:
  static idelta_status said(idelta_status status) { return idelta_fuzz::said(status, IDELTA_FILE_ERROR); }

  template <class Handle>
  Handle* one_of(const std::vector<Handle*>& handles) {
    if (handles.empty() || args_.chance(30)) return nullptr;
    return handles[static_cast<size_t>(args_.below(static_cast<int64_t>(handles.size())))];
  }
  template <class Handle>
  static void keep(idelta_status status, Handle* made, std::vector<Handle*>& handles) {
    if ((status == IDELTA_OK) != (made != nullptr)) std::abort();
    if (made) handles.push_back(made);
  }

  // Small ones, and those that must be refused; what lies between takes memory and time.
  int64_t small(int64_t most) {
    constexpr int64_t kOdd[] = {-1, 0, INT64_MIN, INT64_MAX, int64_t{1} << 40};
    return args_.chance(20) ? kOdd[args_.below(std::size(kOdd))] : 1 + args_.below(most);
  }
  const char* word() { return texts_.emplace_back(args_.text()).c_str(); }
  // `count` texts, or none.
  const char* const* words(int64_t count) {
    if (!args_.chance(4) || count < 1 || count > 40) return nullptr;
    auto* const all = static_cast<const char**>(args_.memory(static_cast<size_t>(count) * sizeof(char*), 8));
    for (int64_t i = 0; i < count; ++i) all[i] = args_.chance(100) ? nullptr : word();
    return all;
  }
  template <class Number>
  Number* numbers(int64_t count) {
    if (args_.chance(2) || count < 1 || count > 4096) return nullptr;
    auto* const all = static_cast<Number*>(args_.memory(static_cast<size_t>(count) * sizeof(Number), alignof(Number)));
    std::fill_n(all, count, static_cast<Number>(args_.below(4)));
    return all;
  }
  // Of a network or of what the caller thinks it is.
  idelta_network_info_t info(const idelta_network* network) {
    idelta_network_info_t found = IDELTA_NETWORK_INFO_INIT;
    if (network) idelta_network_info(network, &found);
    return found;
  }

  void create() {
    idelta_network_options o = IDELTA_NETWORK_OPTIONS_INIT;
    o.layers = small(3), o.height = small(3), o.width = small(4), o.classes = small(4);
    if (args_.chance(4)) o.identity_scale = args_.number();
    o.activation = {args_.kind<idelta_activation_kind>(IDELTA_ACTIVATION_TANH),
                    args_.chance(4) ? args_.number() : 0.1f};
    if (args_.chance(4)) o.class_padding = args_.number();
    const int64_t pixels = o.height > 0 && o.height < 9 && o.width > 0 && o.width < 9 ? o.height * o.width : 0;
    o.feature_names = words(pixels), o.class_names = words(o.classes);
    if (args_.chance(4)) o.label_name = word();
    if (args_.chance(4)) o.offsets = numbers<double>(pixels), o.factors = numbers<double>(pixels);
    if (args_.chance(8)) idelta_network_options_for(one_of(sets_), &o);
    idelta_network* made = nullptr;
    idelta_network_options* const given = args_.made(o);
    if (given) {  // null would be a network of the usual size
      keep(said(idelta_network_create(args_.chance(40) ? nullptr : one_context(), given, &made)), made, networks_);
    }
  }

  void create_set() {
    idelta_dataset_args a = IDELTA_DATASET_ARGS_INIT;
    if (args_.chance(3)) a.name = word();
    a.network = args_.chance(4) ? one_of(networks_) : nullptr;
    const idelta_network_info_t like = info(one_of(networks_));
    a.count = small(9);
    a.height = args_.chance(6) ? small(3) : like.height, a.width = args_.chance(6) ? small(4) : like.width;
    a.classes = args_.chance(4) ? small(4) : like.classes;
    const bool countable = a.height > 0 && a.height < 9 && a.width > 0 && a.width < 9 && a.count < 100;
    const int64_t pixels = countable ? a.height * a.width : 0;
    a.ld = args_.stride(pixels);
    a.images = args_.matrix(a.count, pixels, a.ld);
    a.labels = countable ? numbers<int32_t>(a.count) : nullptr;
    a.feature_names = words(pixels), a.class_names = words(a.classes);
    if (args_.chance(6)) a.offsets = numbers<double>(pixels), a.factors = numbers<double>(pixels);
    a.scale = args_.kind<idelta_scale>(IDELTA_SCALE_MINUS_ONE_TO_ONE);
    idelta_dataset* made = nullptr;
    keep(said(idelta_dataset_create(args_.made(a), &made)), made, sets_);
  }

  void inquire() {
    const idelta_network* const network = one_of(networks_);
    size_t seen = 0;
    char digits[17];
    said(idelta_network_info(network, args_.made(idelta_network_info_t IDELTA_NETWORK_INFO_INIT)));
    said(idelta_network_settings(network, args_.chance(20) ? nullptr : see_setting, &seen));
    said(idelta_network_hash(network, args_.chance(20) ? nullptr : digits));
    said(idelta_network_warnings(network, see_text, &seen));
    said(idelta_network_form(network, args_.size(2), args_.made(idelta_form_info_t IDELTA_FORM_INFO_INIT)));
    const int64_t n = info(network).n, ldd = args_.stride(n);
    said(idelta_network_layer(network, args_.size(3), args_.matrix(n, n, ldd), ldd, args_.vector(n)));
  }

  void inquire_set() {
    const idelta_dataset* const set = one_of(sets_);
    idelta_dataset_info_t found = IDELTA_DATASET_INFO_INIT;
    if (set) idelta_dataset_info(set, &found);
    said(idelta_dataset_info(set, args_.made(found)));
    said(idelta_dataset_labels(set, numbers<int32_t>(found.count)));
    size_t seen = 0;
    said(idelta_dataset_warnings(set, small(5), see_text, &seen));
    idelta_dataset* head = nullptr;
    keep(said(idelta_dataset_head(set, small(5), &head)), head, sets_);
  }

  void set_layer() {
    idelta_network* const network = one_of(networks_);
    const int64_t n = info(network).n, ldd = args_.stride(n);
    said(idelta_network_set_layer(network, args_.size(2), args_.matrix(n, n, ldd), ldd, args_.vector(n)));
    if (args_.chance(3)) {
      said(idelta_network_set_compute(network, args_.kind<idelta_format>(IDELTA_FORMAT_INT8), args_.size(3)));
    }
  }

  // Of a model, with a few of them changed.
  void bytes() {
    idelta_save_options options = IDELTA_SAVE_OPTIONS_INIT;
    options.drop_dense = args_.chance(2) ? 1 : 0;
    idelta_bytes* saved = nullptr;
    const idelta_status status = said(idelta_network_to_bytes(one_of(networks_), args_.made(options), &saved));
    if (status != IDELTA_OK) return;
    const auto size = static_cast<int64_t>(idelta_bytes_size(saved));
    auto* const copy = static_cast<uint8_t*>(args_.memory(static_cast<size_t>(size), 1));
    std::memcpy(copy, idelta_bytes_data(saved), static_cast<size_t>(size));
    idelta_bytes_destroy(saved);
    for (int64_t i = args_.below(3); i > 0; --i) copy[args_.below(size)] = static_cast<uint8_t>(args_.below(256));
    idelta_network* made = nullptr;
    const int64_t given = args_.chance(4) ? args_.below(size + 1) : size;
    keep(said(idelta_network_from_bytes(one_context(), args_.chance(40) ? nullptr : copy, static_cast<size_t>(given),
                                        &made)),
         made, networks_);
  }

  idelta_train_options train_options() {
    idelta_train_options o = IDELTA_TRAIN_OPTIONS_INIT;
    o.epochs = small(2), o.batch = small(5);
    o.learning_rate = args_.chance(3) ? args_.number() : 0.01f;
    o.decay_epochs = args_.size(2);
    o.optimizer = args_.kind<idelta_optimizer_kind>(IDELTA_OPTIMIZER_ADAMW);
    if (args_.chance(4)) o.momentum = args_.number(), o.weight_decay = args_.number();
    o.compute = args_.kind<idelta_format>(IDELTA_FORMAT_INT8);
    if (args_.chance(3)) o.layer_loss = args_.number(), o.shuffled_labels = static_cast<uint64_t>(args_.below(3));
    return o;
  }
  void train() {
    int seen = 0;
    int32_t finished = 0;
    idelta_train_options* const options = args_.made(train_options());
    said(idelta_network_train(one_of(networks_), one_of(sets_), options, stop_soon, &seen,
                              args_.chance(10) ? nullptr : &finished));
  }
  void step() {
    idelta_network* const network = one_of(networks_);
    idelta_trainer* trainer = nullptr;
    const idelta_status status =
        said(idelta_trainer_create(network, one_of(sets_), args_.made(train_options()), &trainer));
    if ((status == IDELTA_OK) != (trainer != nullptr)) std::abort();
    const idelta_network_info_t shape = info(network);
    const int64_t rows = small(6), pixels = shape.height * shape.width, ld = args_.stride(pixels);
    double loss = 0;
    int seen = 0;
    const float* images = args_.matrix(rows, pixels, ld);
    const int32_t* labels = numbers<int32_t>(rows);
    said(idelta_trainer_step(trainer, rows, images, ld, labels, args_.number(), args_.chance(8) ? nullptr : &loss));
    said(idelta_trainer_run(trainer, stop_soon, &seen, nullptr));
    said(idelta_trainer_progress(trainer, args_.made(idelta_progress IDELTA_PROGRESS_INIT)));
    said(idelta_trainer_options(trainer, args_.made(idelta_train_options IDELTA_TRAIN_OPTIONS_INIT)));
    idelta_trainer_destroy(trainer);
  }

  void evaluate() {
    const idelta_network* const network = one_of(networks_);
    const idelta_dataset* const set = one_of(sets_);
    const int64_t layers = info(network).layers;
    idelta_evaluation to = IDELTA_EVALUATION_INIT;
    to.batch = small(5);
    for (double** out : {&to.accuracy, &to.cross_entropy, &to.entropy, &to.margin, &to.kl_to_final,
                         &to.direct_contribution, &to.step_norm, &to.spectral_norm, &to.completeness_ulp}) {
      *out = numbers<double>(layers);
    }
    to.decided = numbers<int64_t>(layers), to.input_accuracy = numbers<double>(1);
    said(idelta_network_evaluate(network, set, args_.made(to)));
    double accuracy = 0;
    said(idelta_network_accuracy(network, set, small(4), args_.chance(20) ? nullptr : &accuracy));
    const int64_t most = small(4);
    said(idelta_network_top_neurons(network, set, most, small(4), numbers<int64_t>(layers * 4),
                                    numbers<double>(layers * 4), nullptr));
  }

  void decompose() {
    const idelta_network* const network = one_of(networks_);
    const idelta_network_info_t shape = info(network);
    idelta_decompose_args a = IDELTA_DECOMPOSE_ARGS_INIT;
    const int64_t pixels = shape.height * shape.width;
    a.rows = small(5), a.ld = args_.stride(pixels), a.images = args_.matrix(a.rows, pixels, a.ld), a.batch = small(5);
    const int64_t all = a.rows > 0 && a.rows < 9 ? shape.layers * a.rows : 0;
    a.contribution_maps = numbers<float>(all * pixels);
    a.contributions = numbers<float>(all * shape.n), a.steps = numbers<float>(all * shape.n);
    a.class_likelihoods = numbers<float>(all * shape.classes), a.predictions = numbers<int32_t>(all);
    a.features = numbers<float>(all * shape.n);
    if (shape.layers > 0) a.logits = numbers<float>(all / shape.layers * shape.classes);
    said(idelta_network_decompose(network, args_.made(a)));
    float contribution = 0;
    said(idelta_network_neuron(network, args_.vector(pixels), args_.size(3), args_.size(8), numbers<double>(shape.n),
                               nullptr, &contribution));
  }

  void class_maps() {
    const idelta_network* const network = one_of(networks_);
    const idelta_network_info_t shape = info(network);
    const int64_t pixels = shape.height * shape.width;
    idelta_class_maps_args a = IDELTA_CLASS_MAPS_ARGS_INIT;
    a.rows = small(5), a.ld = args_.stride(pixels), a.images = args_.matrix(a.rows, pixels, a.ld), a.batch = small(5);
    const int64_t rows = a.rows > 0 && a.rows < 9 ? a.rows : 0;
    a.classes = numbers<int32_t>(rows);
    a.maps = numbers<float>(rows * pixels), a.rests = numbers<double>(rows), a.logits = numbers<float>(rows);
    said(idelta_network_class_maps(network, args_.made(a)));
  }

  void predict() {
    const idelta_network* const network = one_of(networks_);
    const idelta_network_info_t shape = info(network);
    const int64_t pixels = shape.height * shape.width;
    idelta_predict_args a = IDELTA_PREDICT_ARGS_INIT;
    a.rows = small(9), a.ld = args_.stride(pixels), a.images = args_.matrix(a.rows, pixels, a.ld), a.batch = small(5);
    a.form = args_.below(5) - 2;
    a.guarantee = args_.chance(2) ? 1 : 0;
    const int64_t rows = a.rows > 0 && a.rows < 20 ? a.rows : 0;
    a.labels = numbers<int32_t>(rows), a.margins = numbers<float>(rows), a.bounds = numbers<float>(rows);
    a.settled_by = numbers<int32_t>(rows), a.settled = numbers<int64_t>(shape.forms + 1);
    said(idelta_network_predict(network, args_.made(a)));
  }

  void compress() {
    idelta_compress_options o = IDELTA_COMPRESS_OPTIONS_INIT;
    if (args_.chance(2)) o.rank = args_.size(5);
    if (args_.chance(3)) o.sigma = double{args_.number()};
    if (args_.chance(3)) o.tolerance = double{args_.number()};
    o.sample = one_of(sets_);
    said(idelta_network_compress(one_of(networks_), args_.made(o)));
    if (args_.chance(3)) said(idelta_network_attach_forms(one_of(networks_), one_of(networks_)));
  }

  void geometry() {
    const idelta_network* const network = one_of(networks_);
    const idelta_network_info_t shape = info(network);
    idelta_weight_geometry w = IDELTA_WEIGHT_GEOMETRY_INIT;
    w.vectors = args_.size(4);
    w.spectral_norm = numbers<double>(shape.layers), w.effective_rank = numbers<double>(shape.layers);
    w.singular_values = numbers<float>(shape.layers * shape.n);
    w.left_alignment = numbers<double>(shape.layers * shape.layers);
    said(idelta_network_weight_geometry(network, args_.made(w)));
    idelta_feature_geometry f = IDELTA_FEATURE_GEOMETRY_INIT;
    f.batch = small(4);
    f.effective_rank = numbers<double>(shape.layers + 1), f.separation = numbers<double>(shape.layers + 1);
    said(idelta_network_feature_geometry(network, one_of(sets_), one_of(sets_), args_.made(f)));
  }

  void roles() {
    const idelta_network* const network = one_of(networks_);
    const int64_t layers = info(network).layers;
    idelta_lesions l = IDELTA_LESIONS_INIT;
    l.batch = small(4), l.accuracy = numbers<double>(layers), l.gained = numbers<int64_t>(layers);
    said(idelta_network_lesions(network, one_of(sets_), args_.made(l)));
    idelta_probes p = IDELTA_PROBES_INIT;
    p.regularisation = double{args_.number()}, p.batch = small(4), p.accuracy = numbers<double>(layers + 1);
    said(idelta_network_probes(network, one_of(sets_), one_of(sets_), args_.made(p)));
    if (!idelta_role_name(args_.kind<idelta_role>(IDELTA_ROLE_CANNOT_TELL))) std::abort();
  }

  void scale() {
    const idelta_network* const network = one_of(networks_);
    const idelta_network_info_t shape = info(network);
    const int64_t pixels = shape.height * shape.width, rows = args_.size(5);
    const int64_t ld = args_.stride(pixels), ld_scaled = args_.stride(pixels);
    const float* images = args_.matrix(rows, pixels, ld);
    said(idelta_network_scale(network, rows, images, ld, args_.matrix(rows, pixels, ld_scaled), ld_scaled));
  }

  Arguments args_;
  std::list<std::string> texts_;
  std::vector<idelta_network*> networks_;
  std::vector<idelta_dataset*> sets_;
};

}  // namespace
}  // namespace idelta_fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  idelta_fuzz::NetworkCalls(bytes, count).run();
  return 0;
}
