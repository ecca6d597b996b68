// Calls of idelta.h with arguments made of the input: whatever they are, a call does what it says or refuses them by a
// status and a sentence, and a call that refuses has written nothing.
#include <cstdint>

#include "arguments.h"

namespace idelta_fuzz {
namespace {

void backwards(void* /*user*/, int64_t tasks, void (*task)(void*, int64_t), void* arg) {
  for (int64_t i = tasks - 1; i >= 0; --i) task(arg, i);
}

idelta_context* made_context(idelta_context_options options) {
  idelta_context* context = nullptr;
  if (idelta_context_create(&options, &context) != IDELTA_OK) std::abort();
  return context;
}

// Kept from input to input: one thread, the caller's threads, and kernels that take no other's deltas.
const std::vector<const idelta_context*>& contexts() {
  // Never freed, and still known at the end, so that nothing counts as leaked.
  static const auto* const all = [] {
    idelta_context_options best = IDELTA_CONTEXT_OPTIONS_INIT, callers = best, scalar = best;
    best.threads = scalar.threads = 1;
    callers.threads = 3;
    callers.parallel_for = backwards;
    callers.bf16_product = IDELTA_BF16_PRODUCT_ROUNDED;
    scalar.isa = IDELTA_ISA_SCALAR;
    return new std::vector<const idelta_context*>{made_context(best), made_context(callers), made_context(scalar)};
  }();
  return *all;
}

class Calls {
 public:
  Calls(const uint8_t* bytes, size_t count) : args_(bytes, count) {}
  ~Calls() {
    for (idelta_delta* delta : deltas_) idelta_delta_destroy(delta);
  }
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  void run() {
    constexpr void (Calls::*kAll[])() = {
        &Calls::create, &Calls::pack,    &Calls::pack,    &Calls::candidates, &Calls::factors, &Calls::inquire,
        &Calls::repack, &Calls::forward, &Calls::forward, &Calls::data,       &Calls::weights, &Calls::update,
        &Calls::panels, &Calls::sizes,   &Calls::sidmm,   &Calls::sidmv,      &Calls::names,   &Calls::chain};
    for (int call = 0; call < 12 && args_.more(); ++call) (this->*kAll[args_.below(std::size(kAll))])();
  }

 private:
  static idelta_status said(idelta_status status) { return idelta_fuzz::said(status, IDELTA_INTERNAL); }

  const idelta_context* context() {
    if (args_.chance(40)) return nullptr;
    return contexts()[static_cast<size_t>(args_.below(8) < 6 ? args_.below(2) : 2)];
  }
  idelta_delta* delta() {
    if (deltas_.empty() || args_.chance(40)) return nullptr;
    return deltas_[static_cast<size_t>(args_.below(static_cast<int64_t>(deltas_.size())))];
  }
  static int64_t width(const idelta_delta* delta) {
    for (const idelta_context* context : contexts()) {
      idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
      if (delta && idelta_delta_info(context, delta, &info) == IDELTA_OK) return info.n;
    }
    return 5;
  }
  idelta_activation activation() {
    return {args_.kind<idelta_activation_kind>(IDELTA_ACTIVATION_TANH), args_.chance(3) ? args_.number() : 0.25f};
  }
  // Of a pass that wants `bytes`: its own, the thread's, or one that is wrong.
  void give_workspace(size_t bytes, void*& workspace, size_t& workspace_bytes) {
    if (args_.chance(2) || bytes > (1 << 20)) return;
    const size_t given = args_.chance(6) ? static_cast<size_t>(args_.below(static_cast<int64_t>(bytes) + 65)) : bytes;
    workspace = args_.memory(given, args_.chance(8) ? 4 : 64);
    workspace_bytes = given;
  }
  void keep(idelta_status status, idelta_delta* made) {
    if ((status == IDELTA_OK) != (made != nullptr)) std::abort();
    if (made) deltas_.push_back(made);
  }
  // That a refused call wrote nothing to what holds `before`.
  static void unchanged(idelta_status status, const float* output, float before) {
    if (status == IDELTA_OK || !output || output == Arguments::untouchable()) return;
    if (std::memcmp(output, &before, sizeof before) != 0) std::abort();
  }
  static float first(const float* output) { return output && output != Arguments::untouchable() ? *output : 0.0f; }

  idelta_delta_options delta_options(int64_t n) {
    idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
    options.format = args_.kind<idelta_format>(IDELTA_FORMAT_INT8);
    if (args_.chance(3)) options.passes = args_.kind<idelta_passes>(IDELTA_PASS_BOTH);
    options.transposed = args_.chance(3) ? 1 : 0;
    if (args_.chance(3)) options.identity_scale = args_.number();
    if (args_.chance(3)) options.tolerance = args_.chance(2) ? IDELTA_TOLERANCE_SGEMM : double{args_.number()};
    if (options.format == IDELTA_FORMAT_LOW_RANK || args_.chance(12))
      options.rank = args_.size(std::max<int64_t>(n, 1));
    if (args_.chance(4)) options.tail = args_.kind<idelta_tail>(IDELTA_TAIL_INT8);
    if (args_.chance(4)) options.expected_rows = args_.size();
    return options;
  }

  // Of a matrix n x n.
  idelta_int8_tail* made_tail(int64_t n) {
    auto* const tail = static_cast<idelta_int8_tail*>(args_.memory(sizeof(idelta_int8_tail), 8));
    *tail = {nullptr, args_.stride(n), args_.vector(n)};
    // As many floats as bytes are wanted, and more.
    tail->q = reinterpret_cast<const int8_t*>(args_.matrix(n, n, tail->ldq));
    return tail;
  }

  void create() {
    idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
    options.isa = args_.kind<idelta_isa>(IDELTA_ISA_AMX);
    options.threads = static_cast<int32_t>(args_.size(4));
    if (args_.chance(4)) options.parallel_for = backwards;
    options.spin_us = static_cast<int32_t>(args_.below(5)) - 2;
    options.bf16_product = args_.kind<idelta_bf16_product>(IDELTA_BF16_PRODUCT_ROUNDED);
    idelta_context* made = nullptr;
    const idelta_status status = said(idelta_context_create(args_.made(options), args_.chance(20) ? nullptr : &made));
    if (status != IDELTA_OK && made) std::abort();
    idelta_context_describe(made);
    idelta_context_destroy(made);
  }

  void pack() {
    const int64_t n = args_.size(), ldd = args_.stride(n);
    idelta_delta* made = nullptr;
    const idelta_context* c = context();
    const float* D = args_.matrix(n, n, ldd);
    keep(said(idelta_delta_pack(c, n, D, ldd, args_.made(delta_options(n)), &made)), made);
  }

  void candidates() {
    const int64_t n = args_.size(24), ldd = args_.stride(n);
    const float* D = args_.matrix(n, n, ldd);
    constexpr int64_t kMost = 3;
    auto* const found = static_cast<idelta_candidate*>(args_.memory(kMost * sizeof(idelta_candidate), 8));
    for (int64_t i = 0; i < kMost; ++i) {
      found[i] = idelta_candidate IDELTA_CANDIDATE_INIT;
      if (args_.chance(30)) found[i].struct_size = static_cast<size_t>(args_.size());
    }
    int64_t count = 0;
    const int64_t capacity = args_.chance(8) ? args_.below(2) - 1 : args_.below(kMost + 1);
    idelta_delta_options options = delta_options(n);
    options.format = IDELTA_FORMAT_AUTO;
    said(idelta_delta_candidates(context(), n, D, ldd, args_.made(options), args_.chance(20) ? nullptr : found,
                                 capacity, &count));
  }

  void factors() {
    const int64_t n = args_.size(24), r = args_.size(8), ldu = args_.stride(r), ldv = args_.stride(n);
    const float *U = args_.matrix(n, r, ldu), *V = args_.matrix(r, n, ldv);
    idelta_delta_options options = delta_options(n);
    if (!args_.chance(8)) options.format = IDELTA_FORMAT_LOW_RANK, options.rank = 0;
    idelta_delta* made = nullptr;
    if (args_.chance(2)) {
      keep(said(idelta_delta_pack_factors(context(), n, r, U, ldu, V, ldv, args_.made(options), &made)), made);
      return;
    }
    const int64_t ldd = args_.stride(n);
    const idelta_int8_tail* const tail = args_.chance(2) ? nullptr : made_tail(n);
    idelta_low_rank_proof* const proof = args_.made(idelta_low_rank_proof IDELTA_LOW_RANK_PROOF_INIT);
    said(idelta_low_rank_measure(context(), n, args_.matrix(n, n, ldd), ldd, r, U, ldu, V, ldv, tail, proof));
    if (proof && proof->struct_size == sizeof *proof && args_.chance(6)) proof->dropped = double{args_.number()};
    keep(said(idelta_delta_pack_measured(context(), n, r, U, ldu, V, ldv, tail, proof, args_.made(options), &made)),
         made);
  }

  void inquire() {
    const idelta_delta* d = delta();
    const int64_t n = width(d), ldd = args_.stride(n);
    said(idelta_delta_info(context(), d, args_.made(idelta_delta_info_t IDELTA_DELTA_INFO_INIT)));
    said(idelta_delta_unpack(context(), d, args_.matrix(n, n, ldd), ldd));
    said(idelta_delta_unpack_factors(context(), d, args_.matrix(n, n, ldd), ldd, args_.matrix(n, n, ldd), ldd));
    auto* const q = reinterpret_cast<int8_t*>(args_.matrix(n, n, ldd));
    said(idelta_delta_unpack_integers(context(), d, q, ldd, args_.vector(n)));
    double bound = 0;
    said(idelta_spectral_norm_bound(context(), n, args_.matrix(n, n, ldd), ldd, args_.number(), &bound));
  }

  void repack() {
    idelta_delta* const d = delta();
    const int64_t n = width(d), ldd = args_.stride(n);
    said(idelta_delta_repack(context(), d, args_.matrix(n, n, ldd), ldd));
  }

  void forward() {
    const idelta_delta* const d = delta();
    const idelta_context* const c = context();
    const int64_t n = width(d);
    idelta_forward_args a = IDELTA_FORWARD_ARGS_INIT;
    a.m = args_.size(20);
    a.ldx = args_.stride(n), a.x = args_.matrix(a.m, n, a.ldx);
    if (args_.chance(2)) a.bias = args_.vector(n);
    a.activation = activation();
    a.ldy = args_.stride(n), a.y = args_.matrix(a.m, n, a.ldy);
    if (args_.chance(3)) a.ldc = args_.stride(n), a.contribution = args_.matrix(a.m, n, a.ldc);
    if (args_.chance(3)) a.row_error = args_.vector(a.m);
    if (args_.chance(3)) a.row_norm = args_.vector(a.m);
    size_t bytes = 0;
    said(idelta_forward_workspace_bytes(c, d, a.m, &bytes));
    give_workspace(bytes, a.workspace, a.workspace_bytes);
    float* const y = a.m > 0 ? a.y : nullptr;
    const float before = first(y);
    unchanged(said(idelta_forward(c, d, args_.made(a))), y, before);
  }

  void chain() {
    constexpr int64_t kMost = 3;
    const idelta_delta* deltas[kMost];
    auto* const a = static_cast<idelta_forward_args*>(args_.memory(kMost * sizeof(idelta_forward_args), 8));
    const int64_t m = args_.size(20);
    for (int64_t l = 0; l < kMost; ++l) {
      deltas[l] = l > 0 && args_.chance(2) ? deltas[0] : delta();
      const int64_t n = width(deltas[l]);
      a[l] = idelta_forward_args IDELTA_FORWARD_ARGS_INIT;
      a[l].activation = activation();
      if (l == 0) a[l].m = m, a[l].ldx = args_.stride(n), a[l].x = args_.matrix(m, n, a[l].ldx);
      if (args_.chance(2)) a[l].ldy = args_.stride(n), a[l].y = args_.matrix(m, n, a[l].ldy);
      if (args_.chance(3)) a[l].ldc = args_.stride(n), a[l].contribution = args_.matrix(m, n, a[l].ldc);
      if (args_.chance(3)) a[l].row_error = args_.vector(m);
      if (args_.chance(30)) a[l].struct_size = static_cast<size_t>(args_.size());
    }
    const int64_t layers = args_.below(kMost + 1);
    size_t bytes = 0;
    said(idelta_chain_forward_workspace_bytes(context(), layers, deltas, m, &bytes));
    give_workspace(bytes, a[0].workspace, a[0].workspace_bytes);
    said(idelta_chain_forward(context(), layers, deltas, args_.chance(20) ? nullptr : a));
  }

  void data() {
    const idelta_delta* const d = delta();
    const idelta_context* const c = context();
    const int64_t n = width(d);
    idelta_backward_data_args a = IDELTA_BACKWARD_DATA_ARGS_INIT;
    a.m = args_.size(20);
    a.lddy = args_.stride(n), a.dy = args_.matrix(a.m, n, a.lddy);
    a.ldy = args_.stride(n), a.y = args_.matrix(a.m, n, a.ldy);
    a.activation = activation();
    if (args_.chance(2)) a.lddz = args_.stride(n), a.dz = args_.matrix(a.m, n, a.lddz);
    if (!args_.chance(4)) a.lddx = args_.stride(n), a.dx = args_.matrix(a.m, n, a.lddx);
    size_t bytes = 0;
    said(idelta_backward_data_workspace_bytes(c, d, a.m, &bytes));
    give_workspace(bytes, a.workspace, a.workspace_bytes);
    float* const dx = a.m > 0 ? a.dx : nullptr;
    const float before = first(dx);
    unchanged(said(idelta_backward_data(c, d, args_.made(a))), dx, before);
  }

  void weights() {
    const idelta_context* const c = context();
    idelta_backward_weights_args a = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
    a.m = args_.size(), a.n = args_.size();
    a.ldx = args_.stride(a.n), a.x = args_.matrix(a.m, a.n, a.ldx);
    a.lddz = args_.stride(a.n), a.dz = args_.matrix(a.m, a.n, a.lddz);
    a.beta = args_.chance(2) ? args_.number() : 0.0f;
    if (!args_.chance(8)) a.lddD = args_.stride(a.n), a.dD = args_.matrix(a.n, a.n, a.lddD);
    if (args_.chance(2)) a.db = args_.vector(a.n);
    a.format = args_.kind<idelta_format>(IDELTA_FORMAT_INT8);
    size_t bytes = 0;
    said(idelta_backward_weights_workspace_bytes(c, a.m, a.n, &bytes));
    give_workspace(bytes, a.workspace, a.workspace_bytes);
    const float before = first(a.dD);
    unchanged(said(idelta_backward_weights(c, args_.made(a))), a.dD, before);
  }

  void update() {
    idelta_delta* const d = delta();
    const idelta_context* const c = context();
    const int64_t n = width(d);
    idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
    optimizer.kind = args_.kind<idelta_optimizer_kind>(IDELTA_OPTIMIZER_ADAMW);
    optimizer.learning_rate = args_.number();
    if (args_.chance(4)) optimizer.momentum = args_.number(), optimizer.beta2 = args_.number();
    if (args_.chance(4)) optimizer.epsilon = args_.number(), optimizer.weight_decay = args_.number();
    if (args_.chance(4)) optimizer.step = args_.size();
    idelta_update_args a = IDELTA_UPDATE_ARGS_INIT;
    a.m = args_.size();
    a.ldx = args_.stride(n), a.x = args_.matrix(a.m, n, a.ldx);
    a.lddz = args_.stride(n), a.dz = args_.matrix(a.m, n, a.lddz);
    a.optimizer = args_.made(optimizer);
    a.order = args_.kind<idelta_order>(IDELTA_ORDER_PANELS);
    a.gradient_format = args_.kind<idelta_format>(IDELTA_FORMAT_INT8);
    int64_t floats = n * n;
    // Of whichever context: those that are not c's refuse the delta.
    if (a.order != IDELTA_ORDER_ROWS) idelta_panels_floats(c, n, &floats);
    a.ldd = args_.stride(n);
    if (!args_.chance(4)) a.D = a.order == IDELTA_ORDER_ROWS ? args_.matrix(n, n, a.ldd) : args_.vector(floats);
    const bool biased = args_.chance(2);
    if (biased) a.bias = args_.vector(n);
    for (int i = 0; i < 2; ++i) {
      a.state[i] = args_.vector(floats);
      if (biased) a.bias_state[i] = args_.vector(n);
    }
    size_t bytes = 0;
    said(idelta_update_workspace_bytes(c, d, a.m, &bytes));
    give_workspace(bytes, a.workspace, a.workspace_bytes);
    float* const D = a.m > 0 ? a.D : nullptr;
    const float before = first(D);
    unchanged(said(idelta_update(c, d, args_.made(a))), D, before);
  }

  void panels() {
    const idelta_context* const c = context();
    const int64_t n = args_.size(), ld = args_.stride(n);
    int64_t floats = 0;
    said(idelta_panels_floats(c, n, nullptr));
    said(idelta_panels_floats(c, n, &floats));
    float* const rows = args_.matrix(n, n, ld);
    float* const packed = args_.vector(floats);
    said(idelta_panels_pack(c, n, rows, ld, packed));
    said(idelta_panels_unpack(c, n, packed, rows, ld));
  }

  void sizes() {
    size_t bytes = 0;
    size_t* const to = args_.chance(20) ? nullptr : &bytes;
    const idelta_delta* const d = delta();
    const int64_t m = args_.size();
    said(idelta_forward_workspace_bytes(context(), d, m, to));
    said(idelta_backward_data_workspace_bytes(context(), d, m, to));
    said(idelta_backward_weights_workspace_bytes(context(), m, args_.size(), to));
    said(idelta_update_workspace_bytes(context(), d, m, to));
    double seconds = 0;
    const int64_t n = args_.size();
    said(idelta_predicted_seconds(context(), n, args_.made(delta_options(n)), static_cast<int32_t>(args_.below(3)),
                                  args_.chance(20) ? nullptr : &seconds));
  }

  void sidmm() {
    const int64_t m = args_.size(), n = args_.size();
    const int64_t ldx = args_.stride(n), ldd = args_.stride(n), ldy = args_.stride(n);
    const float *x = args_.matrix(m, n, ldx), *D = args_.matrix(n, n, ldd);
    said(idelta_sidmm(context(), args_.chance(2) ? 1 : 0, m, n, args_.number(), args_.number(), x, ldx, D, ldd,
                      args_.number(), args_.matrix(m, n, ldy), ldy));
  }

  void sidmv() {
    const int64_t n = args_.size(), ldd = args_.stride(n);
    const int64_t incx = args_.below(9) - 4, incy = args_.below(9) - 4;
    const float *x = args_.matrix(n, 1, std::abs(incx)), *D = args_.matrix(n, n, ldd);
    said(idelta_sidmv(context(), args_.chance(2) ? 1 : 0, n, args_.number(), args_.number(), x, incx, D, ldd,
                      args_.number(), args_.matrix(n, 1, std::abs(incy)), incy));
  }

  void names() {
    const std::string name = args_.text();
    idelta_isa isa;
    idelta_format format;
    idelta_activation_kind kind;
    idelta_optimizer_kind optimizer;
    said(idelta_isa_by_name(name.c_str(), args_.chance(20) ? nullptr : &isa));
    said(idelta_format_by_name(args_.chance(20) ? nullptr : name.c_str(), &format));
    said(idelta_activation_by_name(name.c_str(), &kind));
    said(idelta_optimizer_by_name(name.c_str(), &optimizer));
    const auto any = args_.kind<idelta_format>(9);
    if (!idelta_format_name(any) || !idelta_status_name(static_cast<idelta_status>(any))) std::abort();
    said(idelta_gradient_format_check(any));
    idelta_optimizer_state_arrays(static_cast<idelta_optimizer_kind>(any));
  }

  Arguments args_;
  std::vector<idelta_delta*> deltas_;
};

}  // namespace
}  // namespace idelta_fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  idelta_fuzz::Calls(bytes, count).run();
  return 0;
}
