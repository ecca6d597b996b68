/* idelta (I + delta): layers whose square weight stays near the identity.
 *
 *     W = a I + D          a: identity scale,  D: n x n "delta", small
 *     z = a x + x D + b    x, y: m x n, row-major, one sample a row
 *     y = act(z)           contribution = z - a x, taken from the accumulator
 *
 * This header includes kinds.h, the kinds of everything: statuses, formats, activations, optimisers, names; context.h,
 * versions, errors and contexts; and delta.h, packed deltas. Passes are below.
 *
 * Conventions
 *   - Every matrix is row-major fp32. A leading dimension (ld...) is the distance between rows in elements, at
 *     least n. Sizes are elements; what counts bytes ends in _bytes. m = 0 is valid and does no more than an empty
 *     sum demands: nothing, save that backward_weights still gives dD = beta dD and db = beta db. Matrices without rows
 *     may have any address and stride, null and 0 included.
 *   - Every call returns an idelta_status. Whatever is not IDELTA_OK has a sentence in idelta_last_error() that
 *     names the argument, its value and the mend; outputs are then untouched unless the call says otherwise.
 *   - Structs begin with struct_size. Start from the IDELTA_..._INIT macro, which sets it and zeroes the rest;
 *     a zero (null) field means "default" or "not wanted".
 *   - What may change when. The values of enumerations are frozen. A minor version may add functions and, at the ends
 *     of structs, fields: a caller compiled with an earlier header gives its smaller struct_size and finds the new
 *     fields filled up from INIT; idelta_delta_info writes no byte beyond that size. A struct of any other size, such
 *     as that of a newer header, is IDELTA_INVALID_ARGUMENT. What removes or alters a call needs a new major version,
 *     and so a new SOVERSION of the shared library.
 *   - A context is immutable and may be shared by threads. A delta may be used by many threads at once, but
 *     idelta_update changes it and needs it alone.
 *   - Results are bitwise the same for every thread count and every split of the batch into calls, in every format;
 *     and for every ISA in F32, in BF16 widened and in LOW_RANK (U and V, too): one fused multiply-add chain an output
 *     element, in ascending order of the reduction index. So they are in INT8 and with a tail in INT8, whose sums are
 *     integers.
 *   - Denormals are zero inside every call (x86-64): operands below 2^-126 are read as 0, results below it become 0,
 *     and rounding is to nearest, on every thread, whatever the caller's mode (MXCSR) is. That mode is as it was after
 *     the call, exception flags included. y errs by at most 2^-125 (n + 3 + sum_k (|x_k| + |D_kj|) + |a| + |x_j|) more
 *     for it. What is only copied keeps its denormals: packing and unpacking D, dz where act' is 1 for any y of
 *     that side (tanh multiplies).
 */
#ifndef IDELTA_IDELTA_H
#define IDELTA_IDELTA_H

#include "idelta/context.h"
#include "idelta/delta.h"
#include "idelta/kinds.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Passes ------------------------------------------------------------------------------------------------
 * workspace: at least the bytes that the ..._workspace_bytes query returns for this call's m, aligned to 64; or null
 * (workspace_bytes 0) to use memory that the library keeps for the calling thread and grows once. */

/* y = act(a x + x D + b),  contribution = a x + x D + b - a x as accumulated: x D + b.
 * y may be x itself (same pointer and stride); no other outputs may overlap inputs or each other. */
typedef struct idelta_forward_args {
  size_t struct_size;
  int64_t m;
  const float* x; /* m x n */
  int64_t ldx;
  const float* bias; /* n, or null */
  idelta_activation activation;
  float* y; /* m x n */
  int64_t ldy;
  float* contribution; /* m x n, or null */
  int64_t ldc;
  void* workspace;
  size_t workspace_bytes;
  /* m, or null. For each row a proved bound of || z^ - z ||_2, rounded up: z^ is the argument of act as it was
   * computed, all roundings and the flushing of denormals included; z = a x + x D + b exactly, with the D that was
   * packed: of idelta_delta_pack_factors the product U V, after idelta_update the D that was stepped. Every act is
   * 1-Lipschitz, so that || y^ - y ||_2 is within it too, but for act's own rounding. Infinity, never NaN, where
   * anything of x, D, a or b is not finite or a sum might overflow. LOW_RANK uses t = x U, which tells how much of x
   * truncation cannot hurt: on a network's own rows 2 to 5 times below certificate ||x||_2. INT8 and tails measure what
   * rounding changes of the row. Other formats give the certificate times ||x||_2. Both add what b and denormals cost.
   * y and contribution are the same bits with and without it. Its own are the same for every thread count and every
   * split of the batch, and for every ISA in F32 and LOW_RANK. The first call after packing, repacking or idelta_update
   * bounds norms (n = 794: some ms); then each costs about 1 % of a dense pass, 7 % of one of rank 32 (n = 794). It
   * must not overlap any other argument. src/core/formats/row_bound.cc has the proof. Since 0.2. */
  float* row_error;
  /* m, or null. ||x||_2 of each row, rounded up, with denormals read as 0; infinity where x is not finite. As for
   * row_error. Since 0.2. */
  float* row_norm;
} idelta_forward_args;
#define IDELTA_FORWARD_ARGS_INIT                                                                                  \
  {                                                                                                               \
    sizeof(idelta_forward_args), 0, NULL, 0, NULL, {IDELTA_ACTIVATION_IDENTITY, 0.0f}, NULL, 0, NULL, 0, NULL, 0, \
        NULL, NULL                                                                                                \
  }
IDELTA_API idelta_status idelta_forward(const idelta_context* context, const idelta_delta* delta,
                                        const idelta_forward_args* args);

/* What idelta_forward gives for one delta after the other, each with the y of the one before as its x, bit for bit.
 * Where there are many rows, blocks of them go through all layers while they are in cache, and threads wait for each
 * other once, at the end. deltas: `layers` >= 1 of them, of one n. args: of each layer; all have the same
 * struct_size. m, x, ldx and the workspace are those of args[0]; in the others they are not read. y may be null but for
 * the last layer: that output is not kept. y of any layer may be x or that of another layer (same pointer and stride);
 * no other outputs of any layer may overlap anything. Since 0.2. */
IDELTA_API idelta_status idelta_chain_forward(const idelta_context* context, int64_t layers,
                                              const idelta_delta* const* deltas, const idelta_forward_args* args);

/* dz = dy (.) act'(y),  dx = a dz + dz D^T.  y may be null for the identity activation. dx may be dy itself. */
typedef struct idelta_backward_data_args {
  size_t struct_size;
  int64_t m;
  const float* dy; /* m x n: gradient of the loss by y */
  int64_t lddy;
  const float* y; /* m x n: what forward returned */
  int64_t ldy;
  idelta_activation activation;
  float* dz; /* m x n, or null if not wanted; may be dy itself when dx is not */
  int64_t lddz;
  float* dx; /* m x n, or null: only dz is wanted (the first layer) */
  int64_t lddx;
  void* workspace;
  size_t workspace_bytes;
} idelta_backward_data_args;
#define IDELTA_BACKWARD_DATA_ARGS_INIT                                                                            \
  {                                                                                                               \
    sizeof(idelta_backward_data_args), 0, NULL, 0, NULL, 0, {IDELTA_ACTIVATION_IDENTITY, 0.0f}, NULL, 0, NULL, 0, \
        NULL, 0                                                                                                   \
  }
IDELTA_API idelta_status idelta_backward_data(const idelta_context* context, const idelta_delta* delta,
                                              const idelta_backward_data_args* args);

/* dD = beta dD + x^T dz (n x n, in x out),  db = beta db + column sums of dz, in one pass. beta = 0 never reads them.
 * In F32, and for db always, one chain an element that starts from beta dD and goes through the rows in order, so a
 * batch accumulated in pieces with beta = 1 gives the bits of the whole batch. dD or db may be null.
 *
 * format: how x and dz are multiplied; AUTO: F32. BF16 rounds both to bf16 (nearest even), so that dD errs by at most
 * 2^-7 |x|^T |dz| more; BF16X3 splits both in two and errs by at most 3 2^-16 |x|^T |dz| more. Sums are fp32.
 * Where the format is no faster than F32, which is more accurate, F32 takes its place: fewer than 32 rows; CPUs without
 * AMX, save that AVX-512 BF16 rounds for BF16 as idelta_bf16_product says. */
typedef struct idelta_backward_weights_args {
  size_t struct_size;
  int64_t m;
  int64_t n;
  const float* x; /* m x n: what forward was given */
  int64_t ldx;
  const float* dz; /* m x n */
  int64_t lddz;
  float beta;
  float* dD; /* n x n */
  int64_t lddD;
  float* db; /* n */
  void* workspace;
  size_t workspace_bytes;
  idelta_format format;
} idelta_backward_weights_args;
#define IDELTA_BACKWARD_WEIGHTS_ARGS_INIT \
  { sizeof(idelta_backward_weights_args), 0, 0, NULL, 0, NULL, 0, 0.0f, NULL, 0, NULL, NULL, 0, IDELTA_FORMAT_AUTO }
IDELTA_API idelta_status idelta_backward_weights(const idelta_context* context,
                                                 const idelta_backward_weights_args* args);

/* From rows to panels and back; floats: how many a matrix takes in panels. nr is the context's (32 for AVX-512 and AMX,
 * 16 for AVX2): files and other contexts should be given rows. Past column n panels are zero; zeros are zeros in both
 * orders. `panels` and the matrix in rows must not overlap. */
IDELTA_API idelta_status idelta_panels_floats(const idelta_context* context, int64_t n, int64_t* floats);
IDELTA_API idelta_status idelta_panels_pack(const idelta_context* context, int64_t n, const float* rows, int64_t ld,
                                            float* panels);
IDELTA_API idelta_status idelta_panels_unpack(const idelta_context* context, int64_t n, const float* panels,
                                              float* rows, int64_t ld);

/* One optimiser step of D (and bias): the gradient x^T dz is made tile by tile and used before it leaves the first
 * cache; the new D goes to `D` and, repacked in the format of `delta`, into `delta`. With D null the forward pack of
 * `delta` is itself the master (idelta_delta_unpack shows it): a copy of D less to read and write. That is only for
 * format F32, which holds D to the bit: in others steps below the last place of D~ would be lost. gradient_format is
 * backward_weights' format: of x^T dz alone, whatever the format of `delta`. With D (or null) and state in panels each
 * is read and written contiguously: few rows of the batch are 1.2 to 1.5 times as fast (n 256 to 1024, m 1; Zen 5),
 * more on several threads, each of which then has panels of its own. */
typedef struct idelta_update_args {
  size_t struct_size;
  int64_t m;
  const float* x; /* m x n */
  int64_t ldx;
  const float* dz; /* m x n */
  int64_t lddz;
  const idelta_optimizer* optimizer;
  float* D;        /* n x n, in x out or out x in as delta was given: the master copy, changed in place; or null */
  int64_t ldd;     /* of D in rows; in panels it is not used */
  float* state[2]; /* each n x n (in rows: dense), as D (null: in x out), zero before the first step */
  float* bias;     /* n, or null: changed in place */
  float* bias_state[2];
  void* workspace;
  size_t workspace_bytes;
  idelta_format gradient_format;
  idelta_order order; /* of D and state */
} idelta_update_args;
#define IDELTA_UPDATE_ARGS_INIT                                                                                \
  {                                                                                                            \
    sizeof(idelta_update_args), 0, NULL, 0, NULL, 0, NULL, NULL, 0, {NULL, NULL}, NULL, {NULL, NULL}, NULL, 0, \
        IDELTA_FORMAT_AUTO, IDELTA_ORDER_ROWS                                                                  \
  }
IDELTA_API idelta_status idelta_update(const idelta_context* context, idelta_delta* delta,
                                       const idelta_update_args* args);

/* Bytes of workspace for m rows; forward and backward_data need the same; of the weights passes it is enough for every
 * format. */
IDELTA_API idelta_status idelta_forward_workspace_bytes(const idelta_context* context, const idelta_delta* delta,
                                                        int64_t m, size_t* bytes);
IDELTA_API idelta_status idelta_chain_forward_workspace_bytes(const idelta_context* context, int64_t layers,
                                                              const idelta_delta* const* deltas, int64_t m,
                                                              size_t* bytes);
IDELTA_API idelta_status idelta_backward_data_workspace_bytes(const idelta_context* context, const idelta_delta* delta,
                                                              int64_t m, size_t* bytes);
IDELTA_API idelta_status idelta_backward_weights_workspace_bytes(const idelta_context* context, int64_t m, int64_t n,
                                                                 size_t* bytes);
IDELTA_API idelta_status idelta_update_workspace_bytes(const idelta_context* context, const idelta_delta* delta,
                                                       int64_t m, size_t* bytes);

/* ---- Stateless, BLAS-style, on an unpacked D ---------------------------------------------------------------
 * y = alpha (a x + x op(D)) + beta y,  op(D) = D, or D^T when transposed is not 0. y must not overlap x or D;
 * beta = 0 never reads y. As in BLAS, alpha = 0 never reads x or D, which may then be null: y = beta y, whatever NaN or
 * Inf they hold. identity_scale is no such scalar: with 0, x is read all the same. n is at least 1. */
IDELTA_API idelta_status idelta_sidmm(const idelta_context* context, int32_t transposed, int64_t m, int64_t n,
                                      float alpha, float identity_scale, const float* x, int64_t ldx, const float* D,
                                      int64_t ldd, float beta, float* y, int64_t ldy);

/* The same for one row: x and y are vectors of n elements, incx and incy apart (not 0; negative counts from the end,
 * as in BLAS). It allocates nothing after a thread's first call. */
IDELTA_API idelta_status idelta_sidmv(const idelta_context* context, int32_t transposed, int64_t n, float alpha,
                                      float identity_scale, const float* x, int64_t incx, const float* D, int64_t ldd,
                                      float beta, float* y, int64_t incy);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_IDELTA_H */
