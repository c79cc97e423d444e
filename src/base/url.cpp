// The functions of Boost.URL, which is used without its library.
#include <boost/url/src.hpp>
