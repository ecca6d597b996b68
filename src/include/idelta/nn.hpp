// Identity-initialised multilayer perceptrons on libidelta: data, network, training, decomposition, model files.
//
//   h^0 = [image in [0,1], padding ... padding]                      width n = P + C: P pixels, C class dimensions
//   h^l = act(a h^{l-1} + h^{l-1} D^l + b^l),  l = 1 .. L;  the last layer is linear;  D = 0, b = 0 at the start
//   loss = softmax cross-entropy on the last C entries of h^L
//
// Decomposition (Kubota, Hayashi, Hayase, Uchida, ICASSP 2021): for every l,
//   class likelihood  softmax(h^l[P:P+C]),   contribution map  h^l[0:P] - h^0[0:P],   layer accuracy from the former.
// Everything throws std::exception with a sentence that names the file or argument, its value and the mend.
#ifndef IDELTA_NN_HPP
#define IDELTA_NN_HPP

#include "idelta/nn/compression.hpp"
#include "idelta/nn/data.hpp"
#include "idelta/nn/decomposition.hpp"
#include "idelta/nn/faithfulness.hpp"
#include "idelta/nn/geometry.hpp"
#include "idelta/nn/model_file.hpp"
#include "idelta/nn/network.hpp"
#include "idelta/nn/roles.hpp"
#include "idelta/nn/study.hpp"
#include "idelta/nn/training.hpp"

#endif  // IDELTA_NN_HPP
