// The maps of the chosen images as pictures: which columns the sheet shows, its one scale, and the sprite sheets.
#ifndef IDELTA_CLI_REPORT_GALLERY_H
#define IDELTA_CLI_REPORT_GALLERY_H

#include <string>
#include <vector>

#include "cli/report/gather.h"

namespace idelta::cli::report {

// "maps" of the document: the scale of the sheet, of each of its rows (images, then controls) and of each step.
//   limit          full colour on the sheet: nearly all |h^l - x| of the chosen images are below it
//   beyond         the share that is not, and is drawn as the limit
//   columns        layers that the sheet shows
//   rows           [{"limit": largest |map| of the row}]
void add_maps(const Decompositions& decompositions, Json& document);

// A style sheet: .inputs, .maps, .own-maps (each row on its own scale) and .class-maps have their sprites behind them.
std::string sprite_styles(const Json& document, const Decompositions& decompositions);

// The steps of the first `rows` rows in all layers, each on its own scale, as a data URI.
std::string step_sprite(const Json& document, const Decompositions& decompositions, size_t rows);

// Rows of the sheet: images, then controls.
std::vector<const nn::ImageDecomposition*> sheet_rows(const Decompositions& decompositions);
// What the document says of one of them.
const Json& row_json(const Json& document, size_t row);

// The sheet as an HTML table, and the class maps as another.
std::string sheet(const Json& document);
std::string class_map_sheet(const Json& document);
// The options of the scrubber's list of images.
std::string image_options(const Json& document, size_t rows);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_GALLERY_H
