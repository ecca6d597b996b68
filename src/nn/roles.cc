#include "idelta/nn.hpp"
