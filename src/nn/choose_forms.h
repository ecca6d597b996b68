// Which of many forms a network should have, judged on a sample of rows.
#ifndef IDELTA_NN_CHOOSE_FORMS_H
#define IDELTA_NN_CHOOSE_FORMS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace idelta::nn {

struct Candidate {
  double cost = 0;               // time of a row, as a share of the dense network's
  std::vector<uint8_t> settles;  // of each row of the sample: 1 where it certifies the label

  double settled() const;  // share of the rows
};

struct Choice {
  std::vector<size_t> forms;  // indices of candidates, ascending
  double cost = 0;            // expected time of a row
  std::vector<double> best;   // of each candidate: the least cost of a choice that has it
  std::vector<double> other;  // and of one that has not; infinity where there is none
};

// Candidates come cheapest first. A row that the first form does not settle goes on to the cheapest later one that
// does, else to the dense network, so that a choice costs a row
//   cost(first) + (settled by the first ? 0 : cost(cheapest later that settles it), or 1).
// Of all choices of 1 to 4 candidates the cheapest is taken, but none more form than saves a hundredth. Where any
// candidate at most a fifth as dear as the dense network settles 72 % of the sample, the first form must settle as
// many.
Choice choose_forms(const std::vector<Candidate>& candidates);

}  // namespace idelta::nn

#endif  // IDELTA_NN_CHOOSE_FORMS_H
