// Tables of certificates.h.
#include <algorithm>

#include "bench/certificates.h"
#include "bench/text.h"

namespace idelta::bench {

std::string to_table(const std::vector<CertificateRow>& rows) {
  std::string text =
      "error: the worst |y^ - y|_2 / |x|_2 found, y = x + x D in fp64 (backward_data: dx of dz); attack: on rows made "
      "to\n"
      "break the certificate; activations: on the model's own; SGEMM: with W, its worst on the same rows.\n"
      "tightness: the worst error found / certificate.\n\n"
      "layer  pass           format  certificate    attack     SGEMM  activations     SGEMM  tightness\n";
  std::vector<idelta_format> formats;
  for (const CertificateRow& row : rows) {
    append(text, "%5d  %-13s  %-6s  %11.2e  %8.2e  %8.2e  %11.2e  %8.2e  %9.4f%s\n", row.layer, row.pass.name().c_str(),
           idelta_format_name(row.format), row.certificate, row.attack.ours, row.attack.sgemm, row.activations.ours,
           row.activations.sgemm, row.tightness(), row.holds() ? "" : "  BROKEN");
    if (std::find(formats.begin(), formats.end(), row.format) == formats.end()) formats.push_back(row.format);
  }
  for (const idelta_format format : formats) {
    double least = 1.0;
    int count = 0, better = 0;
    for (const CertificateRow& row : rows) {
      if (row.format != format) continue;
      least = std::min(least, row.tightness());
      ++count;
      if (row.activations.ours < row.activations.sgemm) ++better;
    }
    append(text, "%s: tightness at least %.4f; more accurate than SGEMM on %d of %d activations\n",
           idelta_format_name(format), least, better, count);
  }
  return text;
}

std::string to_table(const std::vector<RowBoundRow>& rows) {
  std::string text =
      "\nrow_error of low_rank / the error found of y = x + x D: the least of the attack's rows, the least and the\n"
      "median of the activations; gain: what the certificate times |x|_2 allows / row_error, the median.\n\n"
      "layer  rank    attack  activations    median      gain\n";
  for (const RowBoundRow& row : rows) {
    append(text, "%5d  %4d  %8.2f  %11.2f  %8.2f  %8.2f%s\n", row.layer, int(row.rank), row.attack, row.activations,
           row.typical, row.gain, row.holds() ? "" : "  BROKEN");
  }
  return text;
}

}  // namespace idelta::bench
