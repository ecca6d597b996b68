// The C ABI: forward through a chain of deltas.
#include <memory>
#include <span>

#include "idelta/idelta.h"
#include "src/core/api/forward_call.h"
#include "src/core/api/guard.h"
#include "src/core/api/struct_versions.h"
#include "src/core/passes/chain.h"

using namespace idelta::core;

namespace {

using Deltas = std::span<const idelta_delta* const>;

// What is refused is said of the layer that it is about.
template <class Check>
void in_layer(size_t l, const Check& check) {
  try {
    check();
  } catch (const Failure& failure) {
    throw Failure(failure.status(), "layer " + std::to_string(l + 1) + ": " + failure.what());
  }
}

Deltas checked_deltas(const idelta_context* context, int64_t layers, const idelta_delta* const* deltas) {
  check_context(context);
  if (layers < 1) invalid("layers = " + std::to_string(layers) + "; give 1 or more");
  check_pointer(deltas, "deltas");
  const Deltas all(deltas, static_cast<size_t>(layers));
  for (size_t l = 0; l < all.size(); ++l) {
    in_layer(l, [&] {
      check_delta(*context, all[l], IDELTA_PASS_FORWARD);
      if (all[l]->header.n == all[0]->header.n) return;
      invalid("n = " + std::to_string(all[l]->header.n) + ", but that of layer 1 is " +
              std::to_string(all[0]->header.n));
    });
  }
  return all;
}

// Of a layer, which must be as large as the first.
const idelta_forward_args* args_at(const idelta_forward_args* args, size_t l) {
  const idelta_forward_args* const at = element_at(args, l);
  if (at->struct_size != args->struct_size) {
    invalid("struct_size = " + std::to_string(at->struct_size) + ", but that of layer 1 is " +
            std::to_string(args->struct_size));
  }
  return at;
}

// Where a layer reads and writes: x of the chain, what comes out of the layer before (null: no memory of the caller's),
// and whether the output must be kept.
struct Place {
  const idelta_forward_args& first;
  const float* in;
  int64_t ld_in;
  bool last;
};

void check_layer(const idelta_forward_args& a, const Place& place, int64_t n) {
  const int64_t m = place.first.m;
  check_activation(a.activation);
  if (m == 0) return;
  if (!a.y && place.last) invalid("y is null, but what the last layer gives must have a place");
  if (a.y) {
    check_matrix(a.y, "y", m, a.ldy, "ldy", n);
    check_in_place(place.first.x, place.first.ldx, "x", a.y, a.ldy, "y");
    check_in_place(place.in, place.ld_in, "the output of the layer before", a.y, a.ldy, "y");
  }
  check_contribution(a, place.in, m, n);
  if (a.contribution && a.contribution == place.first.x) invalid("contribution overlaps x");
  if (a.row_error || a.row_norm) check_row_errors(a, place.in);
}

// Fills in what run() needs of checked layers.
void describe_layers(const idelta_context& context, Deltas deltas, const idelta_forward_args* args,
                     ChainLayer* layers) {
  for (size_t l = 0; l < deltas.size(); ++l) {
    const Given given(args_at(args, l), "args");
    const idelta_forward_args& a = *given;
    ChainLayer& layer = *std::construct_at(layers + l, ChainLayer{deltas[l], forward_call(*deltas[l], a), {}});
    if (!a.row_error && !a.row_norm) continue;
    layer.bound = row_bound_for(context, *deltas[l], a.bias);
    layer.call.errors = {.at = a.row_error, .norms = a.row_norm, .bound = &layer.bound};
  }
}

int64_t floats_of_layers(size_t layers) {
  return round_up(ceil_div(static_cast<int64_t>(layers * sizeof(ChainLayer)), sizeof(float)), idelta::kLine);
}

}  // namespace

extern "C" {

idelta_status idelta_chain_forward(const idelta_context* context, int64_t layers, const idelta_delta* const* deltas,
                                   const idelta_forward_args* args) {
  return guarded(__func__, [&] {
    const Deltas all = checked_deltas(context, layers, deltas);
    const int64_t n = all[0]->header.n;
    const Given given(args, "args");
    const idelta_forward_args& first = *given;
    check_rows(first.m);
    check_width(n, first.m);
    check_matrix(first.x, "x", first.m, first.ldx, "ldx", n);
    const float* in = first.x;
    int64_t ld_in = first.ldx;
    for (size_t l = 0; l < all.size(); ++l) {
      in_layer(l, [&] {
        const Given of_layer(args_at(args, l), "args");
        check_layer(*of_layer, {first, in, ld_in, l + 1 == all.size()}, n);
        in = (*of_layer).y, ld_in = (*of_layer).ldy;
      });
    }
    if (first.m == 0) return;
    const Chain chain(*context, all, first.m);
    float* const memory =
        OfferedWorkspace{first.workspace, first.workspace_bytes}.take(floats_of_layers(all.size()) + chain.floats());
    auto* const described = reinterpret_cast<ChainLayer*>(memory);
    describe_layers(*context, all, args, described);
    chain.run({described, all.size()}, memory + floats_of_layers(all.size()));
  });
}

idelta_status idelta_chain_forward_workspace_bytes(const idelta_context* context, int64_t layers,
                                                   const idelta_delta* const* deltas, int64_t m, size_t* bytes) {
  return guarded(__func__, [&] {
    const Deltas all = checked_deltas(context, layers, deltas);
    check_pointer(bytes, "bytes");
    check_rows(m);
    check_width(all[0]->header.n, m);
    const int64_t floats = m == 0 ? 0 : floats_of_layers(all.size()) + Chain(*context, all, m).floats();
    *bytes = static_cast<size_t>(floats) * sizeof(float);
  });
}

}  // extern "C"
