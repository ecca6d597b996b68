// Whether the parts of class Forms agree.
#ifndef IDELTA_NN_FORMS_CHECK_H
#define IDELTA_NN_FORMS_CHECK_H

#include "idelta/nn.hpp"

namespace idelta::nn {

// Everything but the sizes of U and V, so that a file can be judged before its tensors are read. Throws a sentence.
void check_forms(int64_t n, const std::vector<Form>& forms, const std::vector<Forms::Layer>& layers);

}  // namespace idelta::nn

#endif  // IDELTA_NN_FORMS_CHECK_H
