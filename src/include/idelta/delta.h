/* Packed deltas: how D is stored, what it costs and how accurate it is. Part of idelta.h, which has the conventions. */
#ifndef IDELTA_DELTA_H
#define IDELTA_DELTA_H

#include "idelta/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idelta_delta idelta_delta;

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
  idelta_tail tail; /* since 0.2. LOW_RANK's */
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

/* What a candidate's `seconds` would be for an n x n D that is packed with these options: it needs no D. threads: 0 for
 * all of the context's, or 1. The format is not AUTO, and LOW_RANK has options->rank columns of U; passes, transposed,
 * identity_scale, tolerance and sample do not matter. A format that this CPU does not run is predicted as what it is
 * replaced with. Since 0.2. */
IDELTA_API idelta_status idelta_predicted_seconds(const idelta_context* context, int64_t n,
                                                  const idelta_delta_options* options, int32_t threads,
                                                  double* seconds);

/* LOW_RANK of given factors, D = U V: U n x r, V r x n, row strides ldu >= r and ldv >= n, 0 <= r <= n; any U: the
 * columns of the packed one are orthonormal. The rank shrinks to what U V has. options.format is AUTO or LOW_RANK, and
 * options.rank 0; transposed: y = x (U V)^T. A repack takes a D, to the same r. Since 0.2. */
IDELTA_API idelta_status idelta_delta_pack_factors(const idelta_context* context, int64_t n, int64_t r, const float* U,
                                                   int64_t ldu, const float* V, int64_t ldv,
                                                   const idelta_delta_options* options, idelta_delta** delta);

/* Packs another D of the same n, transposition and options into the same memory. */
IDELTA_API idelta_status idelta_delta_repack(const idelta_context* context, idelta_delta* delta, const float* D,
                                             int64_t ldd);

/* D (n x n, in x out) from its packed form: bit for bit for F32, else as it was rounded; for LOW_RANK the product of
 * its factors and, if there is one, the tail. */
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

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_DELTA_H */
