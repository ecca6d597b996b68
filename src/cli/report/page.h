// report.html: the template with the document's numbers in it.
#ifndef IDELTA_CLI_REPORT_PAGE_H
#define IDELTA_CLI_REPORT_PAGE_H

#include <string>

#include "cli/report/gather.h"

namespace idelta::cli::report {

// Sentences of the page, "sentences" of the document: what its numbers mean, and what fails.
void add_sentences(const Subject& subject, Json& document);

// Everything in one file below 2 MB: where all steps of all images would not fit, the scrubber offers fewer images, and
// the page says so.
std::string page(const Json& document, const Decompositions& decompositions);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_PAGE_H
