// Reports of layers as arrays: one array of the caller's for each member that it wants.
#ifndef IDELTA_NN_API_REPORTS_H
#define IDELTA_NN_API_REPORTS_H

#include <cstddef>
#include <iterator>
#include <vector>

namespace idelta::nn::api {

// Which member of a struct of pointers takes which member of a report.
template <class To, class Report, class Value>
struct Column {
  Value* To::*to;
  Value Report::*from;
};

template <class To, class Report, class Value, size_t kColumns>
void write_columns(const Column<To, Report, Value> (&columns)[kColumns], const std::vector<Report>& reports,
                   const To& to) {
  for (const Column<To, Report, Value>& column : columns) {
    Value* const array = to.*column.to;
    for (size_t i = 0; array && i < reports.size(); ++i) array[i] = reports[i].*column.from;
  }
}

}  // namespace idelta::nn::api

#endif  // IDELTA_NN_API_REPORTS_H
