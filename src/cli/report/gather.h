// The numbers of a report: one JSON document, from which text, tables and charts of the page are made, and which is
// report.json. A statistic that was left out has no key, and its charts are not there.
#ifndef IDELTA_CLI_REPORT_GATHER_H
#define IDELTA_CLI_REPORT_GATHER_H

#include <span>
#include <string>
#include <vector>

#include "cli/report/subject.h"

namespace idelta::cli::report {

// Raised whenever a key of report.json changes its meaning or goes.
inline constexpr int kSchemaVersion = 2;

// Beyond so many layers what costs passes a layer sees some images only.
inline constexpr int64_t kDeep = 20;
// Images at a time; changes no bit.
inline constexpr int64_t kBatch = 512;

// The chosen images through the network, and controls that have nothing to explain.
struct Decompositions {
  std::vector<nn::ImageDecomposition> images;  // as chosen
  struct Control {
    std::string name, meaning;
    nn::ImageDecomposition image;  // the first of the chosen ones, through the control
  };
  std::vector<Control> controls;
  std::vector<nn::ClassMap> class_maps;  // of each image, for the class that the network predicts
};

Decompositions decompose(const Subject& subject, Stopwatch& watch);

// "network" and "data": what is explained.
void add_subject(const Subject& subject, Json& document);
// One walk of the test set for the read-outs of all layers and those of every image.
nn::Evaluation evaluate(const Subject& subject, std::vector<nn::ReadOut>& read_outs, Stopwatch& watch);
// "layers", "input", "summary", "alignment", "neurons": statistics over the test set. Norms that the evaluation lacks
// are those of the singular values, which are made once.
void add_layers(const Subject& subject, nn::Evaluation& evaluation, Json& document, Stopwatch& watch);
// "roles", and the columns of "layers" that lead to them.
void add_roles(const Subject& subject, const nn::Evaluation& evaluation, Json& document, Stopwatch& watch);
// "images" and "maps": the chosen images, layer by layer.
void add_images(const Subject& subject, const Decompositions& decompositions, Json& document);
// "controls" and "flipping": whether the maps say anything about this network.
void add_trust(const Subject& subject, Json& document, Stopwatch& watch);

// Above it maps of random networks look like the trained ones: of the mean over seeds, in any layer.
inline constexpr double kMostCorrelation = 0.2;

// "zero" and "the mean image": a baseline of pixel flipping within a sentence.
std::string baseline_words(const std::string& baseline);

// array[i][key] for each i; null where it is missing.
Json column(const Json& array, const std::string& key);

// The largest |value|; of a list without numbers 0.
double largest_magnitude(std::span<const float> values);
double largest_entry(const Json& values);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_GATHER_H
