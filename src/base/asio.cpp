// The functions of Asio that its headers only declare under BOOST_ASIO_SEPARATE_COMPILATION.
#include <boost/asio/impl/src.hpp>
