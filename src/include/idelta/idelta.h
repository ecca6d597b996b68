/* idelta (I + delta): layers whose square weight stays near the identity.
 *
 *     W = a I + D          a: identity scale,  D: n x n "delta", small
 *     z = a x + x D + b    x, y: m x n, row-major, one sample a row
 *     y = act(z)           contribution = z - a x, taken from the accumulator
 *
 * kinds.h, which this header includes, has the kinds of everything: statuses, formats, activations, optimisers, names.
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
 *     element, in ascending order of the reduction index.
 *   - Denormals are zero inside every call (x86-64): operands below 2^-126 are read as 0, results below it become 0,
 *     and rounding is to nearest, on every thread, whatever the caller's mode (MXCSR) is. That mode is as it was after
 *     the call, exception flags included. y errs by at most 2^-125 (n + 3 + sum_k (|x_k| + |D_kj|) + |a| + |x_j|) more
 *     for it. What is only copied keeps its denormals: packing and unpacking D, dz where act' is 1 for any y of
 *     that side (tanh multiplies).
 */
#ifndef IDELTA_IDELTA_H
#define IDELTA_IDELTA_H

#include "idelta/kinds.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idelta_context idelta_context;
typedef struct idelta_delta idelta_delta;

/* ---- Version and errors ------------------------------------------------------------------------------------ */

/* "major.minor.patch" of the library that is running. */
IDELTA_API const char* idelta_version(void);

/* The sentence about this thread's last failed call; "" before any. Valid until this thread's next call. */
IDELTA_API const char* idelta_last_error(void);

/* ---- Context ----------------------------------------------------------------------------------------------- */

/* Runs task(arg, 0) ... task(arg, ntasks - 1), each once, in any order, on any threads, and returns when all are
 * done. user is idelta_context_options.parallel_for_user. It is called while denormals are zero on this thread; on the
 * others each task sets that mode, and puts back what was there. */
typedef void (*idelta_parallel_for)(void* user, int64_t ntasks, void (*task)(void* arg, int64_t index), void* arg);

typedef struct idelta_context_options {
  size_t struct_size;
  /* AUTO: the best this machine runs. The environment variable IDELTA_ISA (scalar, avx2, avx512, amx) lowers AUTO,
   * never raises it; IDELTA_AMX=refused makes AMX unsupported, as if Linux had refused it. An ISA this machine cannot
   * run is IDELTA_UNSUPPORTED; an unknown name INVALID_ARGUMENT. */
  idelta_isa isa;
  /* 0: the least of affinity mask, cgroup v1/v2 quota (rounded up) and physical cores; IDELTA_THREADS lowers it. The
   * environment variable IDELTA_BIND=1 binds the library's threads to caches and NUMA nodes and cuts work along them:
   * for a machine of several that this process has to itself. */
  int32_t threads;
  /* Not null: run on the caller's threads instead of the library's; `threads` then says into how many tasks to cut. */
  idelta_parallel_for parallel_for;
  void* parallel_for_user;
  /* How long, in microseconds, the library's threads spin for the next call before they sleep; they take the CPU's
   * time meanwhile. 0: not at all once they have no work left; every call then pays for waking them (5 to 70 us), or
   * runs on one thread if it is not worth that. -1: the environment variable IDELTA_SPIN_US, else the default: 100, or
   * 0 if threads are asked for beyond the cores of this process. */
  int32_t spin_us;
  /* AUTO heeds the environment variable IDELTA_BF16 (widened, rounded). Either gives the same bits in every run. */
  idelta_bf16_product bf16_product;
} idelta_context_options;
#define IDELTA_CONTEXT_OPTIONS_INIT \
  { sizeof(idelta_context_options), IDELTA_ISA_AUTO, 0, NULL, NULL, -1, IDELTA_BF16_PRODUCT_AUTO }

/* options may be null: all defaults. An environment variable that is set but empty is unset; one with a value that is
 * not allowed is INVALID_ARGUMENT. Free with idelta_context_destroy, after the deltas made with it. */
IDELTA_API idelta_status idelta_context_create(const idelta_context_options* options, idelta_context** context);
IDELTA_API void idelta_context_destroy(idelta_context* context);

IDELTA_API idelta_isa idelta_context_isa(const idelta_context* context);
IDELTA_API int32_t idelta_context_threads(const idelta_context* context);
/* How this context multiplies in format BF16: WIDENED or ROUNDED, never AUTO. */
IDELTA_API idelta_bf16_product idelta_context_bf16_product(const idelta_context* context);

/* What was chosen and why, a line each: CPU, ISA, caches, threads. Owned by the context. */
IDELTA_API const char* idelta_context_describe(const idelta_context* context);

/* ---- Delta ------------------------------------------------------------------------------------------------- */

/* As a tolerance: not less accurate than SGEMM with W = a I + D of the same size. The certificate must not exceed the
 * worst case of SGEMM's error, || diag(w) |W| ||_2 with w_k = (n - k + 1) u for reduction step k: a rounding of W and
 * one for every later sum of the chain (Higham, Accuracy and Stability, 3.1), the same analysis that certifies F32. */
#define IDELTA_TOLERANCE_SGEMM (-1.0)

typedef struct idelta_delta_options {
  size_t struct_size;
  idelta_format format; /* AUTO picks by tolerance */
  idelta_passes passes; /* 0: BOTH */
  int32_t transposed;   /* not 0: D is given out x in (PyTorch's layout), so that y = x D^T of what is given */
  float identity_scale; /* a; INIT sets 1 */
  /* The certificates of the packed passes must not exceed it when packing and repacking; 0: no demand. Or
   * IDELTA_TOLERANCE_SGEMM. */
  double tolerance;
  int64_t rank; /* since 0.2. LOW_RANK: at most so many columns of U; 0: not said */
  /* Since 0.2. AUTO packs before it is known how many rows calls will have: it takes the form that is fastest for calls
   * of so many; 0: 128. */
  int64_t expected_rows;
  /* Since 0.2. Rows like those to come, sample_rows x n with row stride ld_sample >= n, finite; null and 0: none. They
   * are copied. With them the tolerance is met by forward if idelta_forward_args.row_error without a bias is at most
   * tolerance ||x||_2 for every row x of the sample, a row of zeros apart, whatever the certificate is: so a form may
   * qualify whose worst case is far from these rows. Nothing is promised of other rows; row_error says it of each. The
   * certificate of backward_data must be within the tolerance as ever. Repacking judges by the same sample. They need
   * a tolerance and the pass forward. */
  const float* sample;
  int64_t sample_rows;
  int64_t ld_sample;
  /* Since 0.2. LOW_RANK: whether what U V leaves is dropped or kept in INT8. With a tail neither rank nor tolerance
   * need be given: the rank is then 0, and D as in format INT8. */
  idelta_tail tail;
} idelta_delta_options;
#define IDELTA_DELTA_OPTIONS_INIT                                                                       \
  {                                                                                                     \
    sizeof(idelta_delta_options), IDELTA_FORMAT_AUTO, IDELTA_PASS_BOTH, 0, 1.0f, 0.0, 0, 0, NULL, 0, 0, \
        IDELTA_TAIL_NONE                                                                                \
  }

typedef struct idelta_delta_info_t {
  size_t struct_size;
  int64_t n;
  idelta_format format; /* what is stored and multiplied */
  idelta_format asked;  /* what the options said */
  idelta_isa isa;
  idelta_passes passes;
  float identity_scale;
  size_t packed_bytes; /* what the packed copies take */
  /* Proved bounds eps with ||y_computed - y||_2 <= eps ||x||_2 for every row of finite x, before activation and with
   * b = 0, at the unscaled range of fp32 (no overflow or underflow); and the same for dx of dz. The sum of
   *   || D - D~ ||_2         what storing drops, measured when D is packed; after idelta_update, which does not
   *                          measure, 2^-8 || |D~| ||_2 in its place until the next repack
   *   || D~ ||_2 / 257       where x is rounded to bf16
   *   sqrt(n) / 254 ||D~||_2 where x is rounded to integers; of the tail alone, if LOW_RANK has one
   *   || diag(w) |D~| ||_2   the sum's roundings, w_k = (n - k + 1) u for reduction step k, u = 2^-24
   *   u |a|
   * with norms bounded from above; LOW_RANK has the roundings of both its sums. Infinity for a pass that is not packed.
   * src/core/formats/certificate.cc has the proof. */
  double certificate;
  double certificate_backward_data;
  double norm_frobenius; /* ||D~||_F of what is stored, like all that follow */
  double norm_one;       /* largest column sum of |D~| */
  double norm_inf;       /* largest row sum of |D~| */
  double norm_max;       /* largest |D~_ij| */
  /* Share of the forward (else backward) multiplication skipped because D is exactly zero there. */
  double zero_fraction;
  int64_t rank; /* since 0.2. Columns of U; 0 unless format is LOW_RANK */
  /* Since 0.2. The parts of the certificates that are of ||x||_inf in truth, where x is rounded to integers, else 0:
   *   || y_computed - y ||_2 <= (certificate - certificate_inf) ||x||_2 + certificate_inf ||x||_inf */
  double certificate_inf;
  double certificate_inf_backward_data;
  idelta_tail tail; /* LOW_RANK's */
} idelta_delta_info_t;
#define IDELTA_DELTA_INFO_INIT                                                                                       \
  {                                                                                                                  \
    sizeof(idelta_delta_info_t), 0, IDELTA_FORMAT_AUTO, IDELTA_FORMAT_AUTO, IDELTA_ISA_AUTO, IDELTA_PASS_BOTH, 0.0f, \
        0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, IDELTA_TAIL_NONE                                          \
  }

/* Packs D (n x n, in x out: y = x D; row stride ldd >= n) for the context's ISA. D is copied and may be freed.
 * Panels of D that are zero, or all denormals, are skipped when multiplying: a NaN or Inf in x does not reach y through
 * them. */
IDELTA_API idelta_status idelta_delta_pack(const idelta_context* context, int64_t n, const float* D, int64_t ldd,
                                           const idelta_delta_options* options, idelta_delta** delta);

/* A form of D that AUTO considered. */
typedef struct idelta_candidate {
  size_t struct_size;
  idelta_format format;
  idelta_verdict verdict;
  int64_t rank; /* LOW_RANK: the least within the tolerance, or the one that came nearest to it; else 0 */
  /* As in idelta_delta_info_t; infinity where it was not measured. */
  double certificate;
  double certificate_backward_data;
  /* What must be within the tolerance: the larger certificate, or with sample rows the largest row_error / ||x||_2 and
   * certificate_backward_data. */
  double error;
  double tolerance; /* as a number, also for IDELTA_TOLERANCE_SGEMM */
  /* Predicted for a call of forward or backward_data with expected_rows rows, D in cache where it fits. The unit is
   * that of a core that multiplies and adds two vectors 3.3e9 times a second: only ratios say something. */
  double seconds;
  idelta_tail tail; /* LOW_RANK's */
} idelta_candidate;
#define IDELTA_CANDIDATE_INIT \
  { sizeof(idelta_candidate), IDELTA_FORMAT_AUTO, IDELTA_VERDICT_CHOSEN, 0, 0.0, 0.0, 0.0, 0.0, 0.0, IDELTA_TAIL_NONE }

/* What idelta_delta_pack with these options would choose from, and why it takes what it takes: options.format must be
 * AUTO, with a tolerance. Sets *count to the number of candidates and writes the first `capacity` of them, fastest
 * first; of all at most one is chosen. capacity may be 0, candidates then null. The struct_size of each element that is
 * written to must be set; all must be the same. It packs every format and takes as long. The result depends on the
 * arguments, the CPU's features and caches, and the number of threads alone. Since 0.2. */
IDELTA_API idelta_status idelta_delta_candidates(const idelta_context* context, int64_t n, const float* D, int64_t ldd,
                                                 const idelta_delta_options* options, idelta_candidate* candidates,
                                                 int64_t capacity, int64_t* count);

/* LOW_RANK of given factors, D = U V: U n x r, V r x n, row strides ldu >= r and ldv >= n, 0 <= r <= n; any U: the
 * columns of the packed one are orthonormal. The rank shrinks to what U V has. options.format is AUTO or LOW_RANK, and
 * options.rank 0; transposed: y = x (U V)^T. A repack takes a D, to the same r. Since 0.2. */
IDELTA_API idelta_status idelta_delta_pack_factors(const idelta_context* context, int64_t n, int64_t r, const float* U,
                                                   int64_t ldu, const float* V, int64_t ldv,
                                                   const idelta_delta_options* options, idelta_delta** delta);

/* Packs another D of the same n, transposition and options into the same memory. */
IDELTA_API idelta_status idelta_delta_repack(const idelta_context* context, idelta_delta* delta, const float* D,
                                             int64_t ldd);

/* D (n x n, in x out) from its packed form: bit for bit for F32, else as it was rounded or, for
 * LOW_RANK, the product of its factors. */
IDELTA_API idelta_status idelta_delta_unpack(const idelta_context* context, const idelta_delta* delta, float* D,
                                             int64_t ldd);

/* U (n x rank) and V (rank x n), in x out, of a delta of LOW_RANK; rank is idelta_delta_info's. Since 0.2. */
IDELTA_API idelta_status idelta_delta_unpack_factors(const idelta_context* context, const idelta_delta* delta, float* U,
                                                     int64_t ldu, float* V, int64_t ldv);

/* The integers that forward multiplies, in x out: of format INT8, D ~ s q, or of a tail of LOW_RANK. q is n x n, in
 * -63 .. 63, row stride ldq >= n; scales n, s of the columns, each 0 or a normal number. Since 0.2. */
IDELTA_API idelta_status idelta_delta_unpack_integers(const idelta_context* context, const idelta_delta* delta,
                                                      int8_t* q, int64_t ldq, float* scales);

/* A tail as a program keeps it. */
typedef struct idelta_int8_tail {
  const int8_t* q;
  int64_t ldq;
  const float* scales;
} idelta_int8_tail;

/* What packing LOW_RANK measures of its factors, and of its tail R~, against D: proved upper bounds. Kept beside these
 * they spare a program that reads them from a file the D, and the time of measuring (n = 794: 0.05 s a delta). */
typedef struct idelta_low_rank_proof {
  size_t struct_size;
  double dropped;         /* || D - U V - R~ ||_2; without a tail R~ = 0 */
  double departure;       /* || U^T U - I ||_2 */
  double overlap;         /* || U^T (D - U V - R~) ||_2: what U still reaches of the rest */
  double reverse_overlap; /* || V (D - U V - R~)^T ||_2: what V does. For bounds over several layers; one delta needs
                             none */
  double tail;            /* || R~ ||_2 */
} idelta_low_rank_proof;
#define IDELTA_LOW_RANK_PROOF_INIT \
  { sizeof(idelta_low_rank_proof), 0.0, 0.0, 0.0, 0.0, 0.0 }

/* Measures factors, U n x r and V r x n, in x out, and a tail, or null, against D, n x n. Those of a LOW_RANK delta
 * come from idelta_delta_unpack_factors and idelta_delta_unpack_integers; the first columns of U and the first rows of
 * V are a delta of lower rank, without a tail. Since 0.2. */
IDELTA_API idelta_status idelta_low_rank_measure(const idelta_context* context, int64_t n, const float* D, int64_t ldd,
                                                 int64_t r, const float* U, int64_t ldu, const float* V, int64_t ldv,
                                                 const idelta_int8_tail* tail, idelta_low_rank_proof* proof);

/* LOW_RANK of factors, and a tail or null, that have been measured: all are packed as they are, and certificates and
 * row errors are against the D of the proof, which is taken on trust: one of other factors makes them wrong. Only the
 * tail of backward_data is rounded anew. options as for idelta_delta_pack_factors, but transposed must be 0. Since
 * 0.2. */
IDELTA_API idelta_status idelta_delta_pack_measured(const idelta_context* context, int64_t n, int64_t r, const float* U,
                                                    int64_t ldu, const float* V, int64_t ldv,
                                                    const idelta_int8_tail* tail, const idelta_low_rank_proof* proof,
                                                    const idelta_delta_options* options, idelta_delta** delta);

IDELTA_API idelta_status idelta_delta_info(const idelta_context* context, const idelta_delta* delta,
                                           idelta_delta_info_t* info);

/* A proved upper bound of ||a I + D||_2 for D as it is given (n x n, row stride ldd >= n; finite), a = identity_scale;
 * the norm of D^T is the same. As a rule within 1 % of the norm, and never above |a| plus the bound of ||D||_2; where a
 * I and D cancel, within 2^-8 sqrt(n) (|a| + ||D||_2). Costs a product of D with itself and Cholesky factorisations in
 * fp64, two as a rule: 0.05 s at n = 794 on one core, 1 s at n = 2048. ISA scalar has the same bits after 3 s at n =
 * 794. Takes 24 n^2 bytes of memory or so. Since 0.2. */
IDELTA_API idelta_status idelta_spectral_norm_bound(const idelta_context* context, int64_t n, const float* D,
                                                    int64_t ldd, float identity_scale, double* bound);

IDELTA_API void idelta_delta_destroy(idelta_delta* delta);

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
   * truncation cannot hurt: on a network's own rows 2 to 5 times below certificate ||x||_2. INT8 and
   * tails measure what rounding changes of the row. Other formats give the certificate times ||x||_2. Both add what b
   * and denormals cost. y and contribution are the same bits with and without it. Its own are the same for every thread
   * count and every split of the batch, and for every ISA in F32 and LOW_RANK. The first call after packing, repacking
   * or idelta_update bounds norms (n = 794: some ms); then each costs about 1 % of a dense pass, 7 % of one of rank 32
   * (n = 794). It must not overlap any other argument. src/core/formats/row_bound.cc has the proof. Since 0.2. */
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
