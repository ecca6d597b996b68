// Which images of the test set a report shows.
#ifndef IDELTA_CLI_REPORT_CHOOSE_H
#define IDELTA_CLI_REPORT_CHOOSE_H

#include <cstdint>
#include <string>
#include <vector>

#include "cli/report/subject.h"

namespace idelta::cli::report {

// "0,1,17" within a set of `count` images; UsageError for others.
std::vector<Chosen> parse_images(const std::string& list, int64_t count);

// What --pick may say.
//   class           the first image of each class
//   misclassified   those that the network names wrong, the surest first
//   latest          those whose decision falls latest
//   uncertain       those whose two best logits are nearest to each other
//   mixed           one of each class, and the first of each of the others
inline const std::vector<std::string> kPicks = {"mixed", "class", "misclassified", "latest", "uncertain"};
std::vector<Chosen> pick(const std::string& how, const nn::Dataset& data, const std::vector<nn::ReadOut>& read_outs,
                         const std::vector<std::string>& class_names);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_CHOOSE_H
