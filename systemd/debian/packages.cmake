# SPDX-License-Identifier: Apache-2.0
# Four Debian packages out of one build: `cpack -G DEB` (or `./bootstrap.sh deb`) in a build directory whose prefix is /usr.
# Each install() rule names its component; one that names none belongs to the service's package.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME dofad)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # else it is put before each description
set(CPACK_PACKAGE_CONTACT "dofad maintainers <dofad@packages.debian.org>")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL dofad library development tools)
set(CPACK_COMPONENTS_GROUPING IGNORE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# dpkg-shlibdeps finds libdofa-client there; the dependency on its package is stated below, to the revision.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})
set(this_version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

# package(COMPONENT NAME SECTION DEPENDS RECOMMENDS DESCRIPTION): the last as "synopsis\nlong text".
macro(dofa_package component name section depends recommends description)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${depends}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_RECOMMENDS "${recommends}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${description}")
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/debian/copyright DESTINATION share/doc/${name} COMPONENT ${component})
  install(FILES ${PROJECT_BINARY_DIR}/generated/changelog.Debian.gz DESTINATION share/doc/${name} COMPONENT ${component})
endmacro()

dofa_package(dofad dofad misc
  "libdofa-client1 (= ${this_version}), libopenblas0-pthread, default-dbus-system-bus | dbus-system-bus, systemd | systemd-standalone-sysusers"
  "polkitd"
  "inference service that keeps its promises while the machine is busy
dofad lets several programs share one neural network without missing
deadlines. It keeps a family of sub-networks resident, sampled from one
Once-for-all supernet, and picks for each frame the most accurate one that
still answers in time. Applications open sessions with contracts over D-Bus
and send frames through shared memory.
.
This package has the service and dofactl, the program to look at it and steer
it.")
dofa_package(library libdofa-client1 libs "" ""
  "client library of dofad
Opens sessions with the inference service dofad, states contracts and submits
frames, from C++ or C. No D-Bus type shows in its headers.")
dofa_package(development libdofa-client-dev libdevel
  "libdofa-client1 (= ${this_version})" ""
  "client library of dofad (development files)
Headers, pkg-config and CMake files for programs that use the inference
service dofad, and the layout of its shared-memory frame ring.")
dofa_package(tools dofa-tools science
  "libdofa-client1 (= ${this_version}), libopenblas0-pthread" "dofad (= ${this_version})"
  "tools around the inference service dofad
dofa-model imports Once-for-all checkpoints, makes, calibrates, evaluates,
profiles and exports families of sub-networks; dofa-bench measures. The verbs
of dofactl that need a camera, a video or a whole terminal are here as well.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA
    "${CMAKE_CURRENT_SOURCE_DIR}/debian/libdofa-client1/shlibs;${CMAKE_CURRENT_SOURCE_DIR}/debian/libdofa-client1/triggers")
set(CPACK_DEBIAN_DOFAD_PACKAGE_CONTROL_EXTRA
    "${CMAKE_CURRENT_SOURCE_DIR}/debian/postinst;${CMAKE_CURRENT_SOURCE_DIR}/debian/prerm;${CMAKE_CURRENT_SOURCE_DIR}/debian/postrm;${CMAKE_CURRENT_SOURCE_DIR}/debian/conffiles")

# Policy wants them compressed, without time stamps.
find_program(GZIP gzip REQUIRED)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated)
execute_process(COMMAND ${GZIP} -9nc ${CMAKE_CURRENT_SOURCE_DIR}/debian/changelog
                OUTPUT_FILE ${PROJECT_BINARY_DIR}/generated/changelog.Debian.gz COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/debian/changelog)
file(STRINGS debian/changelog first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^dofad \\(${this_version}\\) ")
  message(FATAL_ERROR "systemd/debian/changelog is of another version than ${this_version}: ${first_line}")
endif()
include(CPack)
