// The C ABI: kinds to names and back, and checks of settings.
#include "idelta/idelta.h"
#include "src/core/api/checks.h"
#include "src/core/api/guard.h"
#include "src/core/api/names.h"
#include "src/core/api/struct_versions.h"
#include "src/core/formats/list.h"
#include "src/core/machine/bf16_product.h"
#include "src/core/machine/dispatch.h"

using namespace idelta::core;

namespace {

template <class Kind>
idelta_status by_name(const char* call, const char* what, const char* (*name_of)(Kind), const char* name, Kind* kind) {
  return guarded(call, [&] {
    check_pointer(name, "name");
    check_pointer(kind, "kind");
    *kind = kind_named(what, name_of, name);
  });
}

// The list of a kind's names, made once.
template <class Kind>
const char* names(const char* (*name_of)(Kind)) {
  try {
    static const std::string text = listed(name_of);
    return text.c_str();
  } catch (const std::bad_alloc&) {
    return "";
  }
}

const char* tail_name(idelta_tail tail) {
  constexpr const char* kNames[] = {"none", "int8"};
  return name_in(kNames, tail);
}

const char* verdict_name(idelta_verdict verdict) {
  constexpr const char* kNames[] = {"chosen", "slower", "inexact", "replaced", "unfit"};
  return name_in(kNames, verdict);
}

const char* or_unknown(const char* name, const char* unknown) { return name ? name : unknown; }

}  // namespace

extern "C" {

const char* idelta_status_name(idelta_status status) {
  constexpr const char* kNames[] = {"OK",       "INVALID_ARGUMENT", "OUT_OF_MEMORY", "UNSUPPORTED", "TOLERANCE_NOT_MET",
                                    "INTERNAL", "NOT_FINITE",       "FILE_ERROR"};
  return or_unknown(name_in(kNames, status), "unknown status");
}

const char* idelta_isa_name(idelta_isa isa) { return or_unknown(isa_name(isa), "unknown ISA"); }
idelta_status idelta_isa_by_name(const char* name, idelta_isa* isa) {
  return by_name(__func__, "ISA", isa_name, name, isa);
}
const char* idelta_isa_names(void) { return names(isa_name); }

const char* idelta_format_name(idelta_format format) { return or_unknown(format_name(format), "unknown format"); }
idelta_status idelta_format_by_name(const char* name, idelta_format* format) {
  return by_name(__func__, "format", format_name, name, format);
}
const char* idelta_format_names(void) { return names(format_name); }

const char* idelta_tail_name(idelta_tail tail) { return or_unknown(tail_name(tail), "unknown tail"); }
idelta_status idelta_tail_by_name(const char* name, idelta_tail* tail) {
  return by_name(__func__, "tail", tail_name, name, tail);
}
const char* idelta_tail_names(void) { return names(tail_name); }

const char* idelta_verdict_name(idelta_verdict verdict) { return or_unknown(verdict_name(verdict), "unknown verdict"); }
idelta_status idelta_verdict_by_name(const char* name, idelta_verdict* verdict) {
  return by_name(__func__, "verdict", verdict_name, name, verdict);
}
const char* idelta_verdict_names(void) { return names(verdict_name); }

const char* idelta_bf16_product_name(idelta_bf16_product product) {
  return or_unknown(bf16_product_name(product), "unknown bf16 product");
}
idelta_status idelta_bf16_product_by_name(const char* name, idelta_bf16_product* product) {
  return by_name(__func__, "bf16 product", bf16_product_name, name, product);
}
const char* idelta_bf16_product_names(void) { return names(bf16_product_name); }

const char* idelta_activation_name(idelta_activation_kind kind) {
  return or_unknown(activation_name(kind), "unknown activation");
}
idelta_status idelta_activation_by_name(const char* name, idelta_activation_kind* kind) {
  return by_name(__func__, "activation", activation_name, name, kind);
}
const char* idelta_activation_names(void) { return names(activation_name); }

const char* idelta_optimizer_name(idelta_optimizer_kind kind) {
  return or_unknown(optimizer_name(kind), "unknown optimizer");
}
idelta_status idelta_optimizer_by_name(const char* name, idelta_optimizer_kind* kind) {
  return by_name(__func__, "optimizer", optimizer_name, name, kind);
}
const char* idelta_optimizer_names(void) { return names(optimizer_name); }

int32_t idelta_optimizer_state_arrays(idelta_optimizer_kind kind) {
  const OptimizerKind* found = find_optimizer(kind);
  return found ? found->state_arrays : 0;
}

idelta_status idelta_activation_check(const idelta_activation* activation) {
  return guarded(__func__, [&] {
    check_pointer(activation, "activation");
    check_activation(*activation);
  });
}

idelta_status idelta_optimizer_check(const idelta_optimizer* optimizer) {
  return guarded(__func__, [&] { check_optimizer(*Given(optimizer, "optimizer")); });
}

idelta_status idelta_gradient_format_check(idelta_format format) {
  return guarded(__func__, [&] { check_gradient_format(format, "format"); });
}

}  // extern "C"
