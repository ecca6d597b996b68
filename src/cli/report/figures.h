// Charts of the page, described: charts.js draws them, page.cc writes the table of each.
#ifndef IDELTA_CLI_REPORT_FIGURES_H
#define IDELTA_CLI_REPORT_FIGURES_H

#include "cli/report/gather.h"

namespace idelta::cli::report {

// {"<id>": figure, ...}; a figure whose numbers the document lacks is not there.
//   kind      "lines", "bars", "matrix", "panels" or "ranked"
//   title     what the chart is of; caption: how it was made; alt: a sentence that says what is to be seen
//   x         {"name", "values"};  y  {"name", "format", "log", "from", "to"}
//   series    [{"name", "values", "look", "low", "high"}]; look: "network", "network-2", "peer", "peer-2", "thin", ...
//   ranked    "panels": [{"title", "names", "values"}], the largest first: bars to both sides of zero
//   matrix    "cells": rows of numbers in [0, 1];   panels  "panels": [{"title", "series"}]
// A list of one is written Json::array({value}): of {value} GCC makes a list, and Clang the value itself.
Json figures(const Json& document);

// "names", "maps" and "steps" (a list a layer) of the features that move most in one row, for the scrubber.
Json layers_of_features(const Json& document, const nn::ImageDecomposition& row);
// Named features in place of maps: what the layers added to each, and its share of the predicted class's logit.
void add_feature_figures(const Json& document, const Decompositions& decompositions, Json& figures);

// "0.548 ± 0.012": the area under a curve of pixel flipping, and its standard error.
std::string area_words(const Json& curve);

// figures.cc's own: of the network's inside, and of what can be trusted.
void add_inner_figures(const Json& document, Json& figures);
void add_trust_figures(const Json& document, Json& figures);

// [0,] 1, 2 .. layers
Json layer_numbers(const Json& document, bool with_input);
// The column of "layers", before it the value of "input".
Json with_input(const Json& document, const std::string& key);
// {"name": ..., "look": ..., "values": ...}
Json series(const std::string& name, const std::string& look, Json values);
// Whether a statistic of layers was measured.
bool has_column(const Json& document, const std::string& key);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_FIGURES_H
