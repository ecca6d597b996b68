// Thin C++ face of idelta.h: handles that free themselves, errors that throw, structs with designated initialisers.
// Meaning, shapes, aliasing and errors of every call are documented in idelta.h.
#ifndef IDELTA_IDELTA_HPP
#define IDELTA_IDELTA_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "idelta/idelta.h"

namespace idelta {

// What idelta_last_error() said, and the status that came with it.
class Error : public std::runtime_error {
 public:
  Error(idelta_status status, const std::string& what) : std::runtime_error(what), status_(status) {}
  idelta_status status() const { return status_; }

 private:
  idelta_status status_;
};

inline void check(idelta_status status) {
  if (status != IDELTA_OK) throw Error(status, idelta_last_error());
}

// What idelta_last_error() says was wrong, without the name of the call that found it.
inline std::string last_reason() {
  const std::string sentence = idelta_last_error();
  const size_t colon = sentence.find(": ");
  return colon == std::string::npos ? sentence : sentence.substr(colon + 2);
}

// All kinds of a list of names, in its order: kinds_of(idelta_format_names(), idelta_format_by_name).
template <class Kind>
std::vector<Kind> kinds_of(const std::string& names, idelta_status (*by_name)(const char*, Kind*)) {
  std::vector<Kind> kinds;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(", ", begin), names.size());
    check(by_name(names.substr(begin, end - begin).c_str(), &kinds.emplace_back()));
    begin = end + 2;
  }
  return kinds;
}

using Activation = idelta_activation;
using ContextOptions = idelta_context_options;
using DeltaOptions = idelta_delta_options;
using DeltaInfo = idelta_delta_info_t;
using LowRankProof = idelta_low_rank_proof;
using Int8Tail = idelta_int8_tail;
using Candidate = idelta_candidate;
using Optimizer = idelta_optimizer;

inline constexpr ContextOptions kContextOptions = IDELTA_CONTEXT_OPTIONS_INIT;
inline constexpr DeltaOptions kDeltaOptions = IDELTA_DELTA_OPTIONS_INIT;

// ---- Arguments of the passes: idelta.h's structs of the same members, but for struct_size. Each has a default, so
// that no compiler warns of those that a call leaves out.

struct ForwardArgs {
  int64_t m = 0;
  const float* x = nullptr;
  int64_t ldx = 0;
  const float* bias = nullptr;
  Activation activation = {IDELTA_ACTIVATION_IDENTITY, 0.0f};
  float* y = nullptr;
  int64_t ldy = 0;
  float* contribution = nullptr;
  int64_t ldc = 0;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  float* row_error = nullptr;
  float* row_norm = nullptr;

  explicit operator idelta_forward_args() const {
    return {sizeof(idelta_forward_args),
            m,
            x,
            ldx,
            bias,
            activation,
            y,
            ldy,
            contribution,
            ldc,
            workspace,
            workspace_bytes,
            row_error,
            row_norm};
  }
};

struct BackwardDataArgs {
  int64_t m = 0;
  const float* dy = nullptr;
  int64_t lddy = 0;
  const float* y = nullptr;
  int64_t ldy = 0;
  Activation activation = {IDELTA_ACTIVATION_IDENTITY, 0.0f};
  float* dz = nullptr;
  int64_t lddz = 0;
  float* dx = nullptr;
  int64_t lddx = 0;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;

  explicit operator idelta_backward_data_args() const {
    return {sizeof(idelta_backward_data_args),
            m,
            dy,
            lddy,
            y,
            ldy,
            activation,
            dz,
            lddz,
            dx,
            lddx,
            workspace,
            workspace_bytes};
  }
};

struct BackwardWeightsArgs {
  int64_t m = 0;
  int64_t n = 0;
  const float* x = nullptr;
  int64_t ldx = 0;
  const float* dz = nullptr;
  int64_t lddz = 0;
  float beta = 0.0f;
  float* dD = nullptr;
  int64_t lddD = 0;
  float* db = nullptr;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  idelta_format format = IDELTA_FORMAT_AUTO;

  explicit operator idelta_backward_weights_args() const {
    return {sizeof(idelta_backward_weights_args),
            m,
            n,
            x,
            ldx,
            dz,
            lddz,
            beta,
            dD,
            lddD,
            db,
            workspace,
            workspace_bytes,
            format};
  }
};

struct UpdateArgs {
  int64_t m = 0;
  const float* x = nullptr;
  int64_t ldx = 0;
  const float* dz = nullptr;
  int64_t lddz = 0;
  const Optimizer* optimizer = nullptr;
  float* D = nullptr;
  int64_t ldd = 0;
  float* state[2] = {nullptr, nullptr};
  float* bias = nullptr;
  float* bias_state[2] = {nullptr, nullptr};
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  idelta_format gradient_format = IDELTA_FORMAT_AUTO;
  idelta_order order = IDELTA_ORDER_ROWS;

  explicit operator idelta_update_args() const {
    return {sizeof(idelta_update_args),
            m,
            x,
            ldx,
            dz,
            lddz,
            optimizer,
            D,
            ldd,
            {state[0], state[1]},
            bias,
            {bias_state[0], bias_state[1]},
            workspace,
            workspace_bytes,
            gradient_format,
            order};
  }
};

// A member that idelta.h has gained is missing here.
static_assert(sizeof(ForwardArgs) + sizeof(size_t) == sizeof(idelta_forward_args));
static_assert(sizeof(BackwardDataArgs) + sizeof(size_t) == sizeof(idelta_backward_data_args));
static_assert(sizeof(BackwardWeightsArgs) + sizeof(size_t) == sizeof(idelta_backward_weights_args));
static_assert(sizeof(UpdateArgs) + sizeof(size_t) == sizeof(idelta_update_args));

// A handle to a context: copies are cheap and share it, and the last one destroys it. One that was moved from may be
// assigned to and destroyed; calls refuse it as null.
class Context {
 public:
  explicit Context(const ContextOptions& options = kContextOptions) {
    idelta_context* raw = nullptr;
    check(idelta_context_create(&options, &raw));
    handle_.reset(raw, idelta_context_destroy);
  }
  // threads = 0 and isa = AUTO mean: choose for me.
  static Context with(idelta_isa isa, int32_t threads) {
    ContextOptions options = IDELTA_CONTEXT_OPTIONS_INIT;
    options.isa = isa;
    options.threads = threads;
    return Context(options);
  }

  // Of a context that its owner destroys, after this handle, its copies and all that was made with them.
  static Context borrowed(const idelta_context* context) {
    return Context(std::shared_ptr<const idelta_context>(std::shared_ptr<void>(), context));
  }

  idelta_isa isa() const { return idelta_context_isa(get()); }
  int32_t threads() const { return idelta_context_threads(get()); }
  idelta_bf16_product bf16_product() const { return idelta_context_bf16_product(get()); }
  std::string describe() const { return idelta_context_describe(get()); }
  const idelta_context* get() const { return handle_.get(); }

 private:
  explicit Context(std::shared_ptr<const idelta_context> handle) : handle_(std::move(handle)) {}

  std::shared_ptr<const idelta_context> handle_;
};

// Owns a packed delta and shares its context, so that it may be moved and outlive the handle it was given.
class Delta {
 public:
  // D: n x n, row stride ldd.
  Delta(const Context& context, int64_t n, const float* D, int64_t ldd, const DeltaOptions& options = kDeltaOptions)
      : context_(context) {
    idelta_delta* raw = nullptr;
    check(idelta_delta_pack(context.get(), n, D, ldd, &options, &raw));
    handle_.reset(raw);
  }

  // LOW_RANK of given factors: U n x r, V r x n.
  static Delta of_factors(const Context& context, int64_t n, int64_t r, const float* U, int64_t ldu, const float* V,
                          int64_t ldv, const DeltaOptions& options = kDeltaOptions) {
    idelta_delta* raw = nullptr;
    check(idelta_delta_pack_factors(context.get(), n, r, U, ldu, V, ldv, &options, &raw));
    return Delta(context, raw);
  }

  // LOW_RANK of factors, and a tail or null, that have been measured against a D.
  static Delta of_measured(const Context& context, int64_t n, int64_t r, const float* U, int64_t ldu, const float* V,
                           int64_t ldv, const LowRankProof& proof, const DeltaOptions& options = kDeltaOptions,
                           const Int8Tail* tail = nullptr) {
    idelta_delta* raw = nullptr;
    check(idelta_delta_pack_measured(context.get(), n, r, U, ldu, V, ldv, tail, &proof, &options, &raw));
    return Delta(context, raw);
  }

  void repack(const float* D, int64_t ldd) { check(idelta_delta_repack(context_.get(), handle_.get(), D, ldd)); }
  void unpack(float* D, int64_t ldd) const { check(idelta_delta_unpack(context_.get(), handle_.get(), D, ldd)); }
  void unpack_factors(float* U, int64_t ldu, float* V, int64_t ldv) const {
    check(idelta_delta_unpack_factors(context_.get(), handle_.get(), U, ldu, V, ldv));
  }
  void unpack_integers(int8_t* q, int64_t ldq, float* scales) const {
    check(idelta_delta_unpack_integers(context_.get(), handle_.get(), q, ldq, scales));
  }

  DeltaInfo info() const {
    DeltaInfo info = IDELTA_DELTA_INFO_INIT;
    check(idelta_delta_info(context_.get(), handle_.get(), &info));
    return info;
  }

  // delta.forward({.m = 1, .x = x, .ldx = n, .y = y, .ldy = n});
  void forward(const ForwardArgs& given) const {
    const idelta_forward_args args(given);
    check(idelta_forward(context_.get(), handle_.get(), &args));
  }
  // idelta_chain_forward: forward of each, with the y of the one before as its x. args[0] has m, x, ldx and workspace.
  static void forward_chain(const std::vector<const Delta*>& deltas, const std::vector<ForwardArgs>& args) {
    if (deltas.empty() || deltas.size() != args.size()) {
      throw Error(IDELTA_INVALID_ARGUMENT, "forward_chain: there are " + std::to_string(deltas.size()) +
                                               " deltas and arguments of " + std::to_string(args.size()) +
                                               "; give one or more, and as many of both");
    }
    std::vector<const idelta_delta*> handles;
    std::vector<idelta_forward_args> layers;
    for (const Delta* delta : deltas) handles.push_back(delta->handle_.get());
    for (const ForwardArgs& given : args) layers.emplace_back(given);
    check(idelta_chain_forward(deltas[0]->context_.get(), int64_t(handles.size()), handles.data(), layers.data()));
  }
  void backward_data(const BackwardDataArgs& given) const {
    const idelta_backward_data_args args(given);
    check(idelta_backward_data(context_.get(), handle_.get(), &args));
  }
  void update(const UpdateArgs& given) {
    const idelta_update_args args(given);
    check(idelta_update(context_.get(), handle_.get(), &args));
  }

  const Context& context() const { return context_; }
  idelta_delta* get() { return handle_.get(); }
  const idelta_delta* get() const { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(idelta_delta* p) const { idelta_delta_destroy(p); }
  };
  Delta(const Context& context, idelta_delta* raw) : context_(context), handle_(raw) {}

  Context context_;  // outlives the delta below
  std::unique_ptr<idelta_delta, Destroy> handle_;
};

// What Delta with these options would choose from, fastest first; options.format is AUTO, with a tolerance.
inline std::vector<Candidate> candidates(const Context& context, int64_t n, const float* D, int64_t ldd,
                                         const DeltaOptions& options) {
  constexpr int64_t kRoom = 32;  // more than there are forms, so that they are packed only once
  std::vector<Candidate> found(kRoom, Candidate IDELTA_CANDIDATE_INIT);
  int64_t count = 0;
  const auto look = [&] {
    check(idelta_delta_candidates(context.get(), n, D, ldd, &options, found.data(), int64_t(found.size()), &count));
  };
  look();
  if (count > kRoom) {
    found.resize(size_t(count), Candidate IDELTA_CANDIDATE_INIT);
    look();
  }
  found.resize(size_t(count));
  return found;
}

// What the cost model predicts for a D of n x n that is packed with these options, on all threads or on one.
inline double predicted_seconds(const Context& context, int64_t n, const DeltaOptions& options, int32_t threads = 0) {
  double seconds = 0;
  check(idelta_predicted_seconds(context.get(), n, &options, threads, &seconds));
  return seconds;
}

inline LowRankProof low_rank_measure(const Context& context, int64_t n, const float* D, int64_t ldd, int64_t r,
                                     const float* U, int64_t ldu, const float* V, int64_t ldv,
                                     const Int8Tail* tail = nullptr) {
  LowRankProof proof = IDELTA_LOW_RANK_PROOF_INIT;
  check(idelta_low_rank_measure(context.get(), n, D, ldd, r, U, ldu, V, ldv, tail, &proof));
  return proof;
}

// A proved upper bound of ||a I + D||_2.
inline double spectral_norm_bound(const Context& context, int64_t n, const float* D, int64_t ldd,
                                  float identity_scale) {
  double bound = 0;
  check(idelta_spectral_norm_bound(context.get(), n, D, ldd, identity_scale, &bound));
  return bound;
}

// A matrix of parameters in panels, and back: IDELTA_ORDER_PANELS.
inline int64_t panels_floats(const Context& context, int64_t n) {
  int64_t floats = 0;
  check(idelta_panels_floats(context.get(), n, &floats));
  return floats;
}
inline void panels_pack(const Context& context, int64_t n, const float* rows, int64_t ld, float* panels) {
  check(idelta_panels_pack(context.get(), n, rows, ld, panels));
}
inline void panels_unpack(const Context& context, int64_t n, const float* panels, float* rows, int64_t ld) {
  check(idelta_panels_unpack(context.get(), n, panels, rows, ld));
}

inline void backward_weights(const Context& context, const BackwardWeightsArgs& given) {
  const idelta_backward_weights_args args(given);
  check(idelta_backward_weights(context.get(), &args));
}

}  // namespace idelta

#endif  // IDELTA_IDELTA_HPP
