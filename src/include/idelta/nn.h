/* Networks of idelta from C: identity-initialised multilayer perceptrons, their data, training and decomposition, in
 * libidelta_nn. nn.hpp, for C++, and the program are faces of the same code and give the same bits and files.
 *
 *     h^0 = [image, padding ... padding]               width n = P + C: P = height x width inputs, C class dimensions
 *     h^l = act(a h^{l-1} + h^{l-1} D^l + b^l)         l = 1 .. L;  the last layer is linear;  D = 0, b = 0 at first
 *     loss = softmax cross-entropy on the last C entries of h^L
 *
 * "Class dimensions" are the last C entries; the "class likelihood" is their softmax: scores, not calibrated
 * probabilities. An image is a row of P inputs; named features are images of height 1.
 *
 * Conventions are those of idelta.h, and
 *   - Errors. A status that is not IDELTA_OK has its sentence in idelta_last_error(). Outputs are then untouched, or
 *     hold what was computed before the error where the call says so; handles stay as they were and can be used.
 *     Besides idelta.h's statuses there are IDELTA_FILE_ERROR (a file cannot be read or written, or does not hold what
 *     the call needs) and IDELTA_NOT_FINITE (numbers overflowed, or training diverged).
 *   - Handles. A network, data set or trainer is made by one call and freed by its _destroy, in any order: what shares
 *     parts keeps them. A context must outlive all that was made with it. Null is for no call but _destroy.
 *   - Threads. A data set never changes and may be shared. A network may be used by many threads at once, but calls
 *     that take it without const, and runs and steps of its trainers, need it alone. A trainer is for one thread at a
 *     time. Two calls on different handles never disturb each other.
 *   - Arrays lie in the caller's memory and are never kept: what the library must keep it copies. Matrices of images
 *     are fp32, row-major, with a row stride `ld` in elements, at least P; where ld > P, calls that only read images
 *     copy them, rows x P at once. An output array that is null is not wanted. Outputs may not overlap each other or
 *     inputs, which is not checked.
 *   - Labels are int32_t: class c in [0, C), 2 <= C <= 256.
 *   - `batch`: how many images are computed at a time; 0: 512. It changes no bit of any result. Neither does the number
 *     of threads.
 *   - Texts are UTF-8 and end in NUL. Those that the library gives belong to the handle that they were asked of, and
 *     last as long as it, unless the call says otherwise; those given to a callback last for that call.
 *   - Callbacks run on the thread of the call. One must not throw, nor jump out of the call, nor destroy or change its
 *     handles; it may read them, and save a trainer's checkpoint.
 */
#ifndef IDELTA_NN_H
#define IDELTA_NN_H

#include "idelta/nn/compression.h"
#include "idelta/nn/data.h"
#include "idelta/nn/decomposition.h"
#include "idelta/nn/geometry.h"
#include "idelta/nn/network.h"
#include "idelta/nn/roles.h"
#include "idelta/nn/training.h"

#endif /* IDELTA_NN_H */
