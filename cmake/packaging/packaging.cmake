# What `cmake --install` puts where, and two Debian packages of it:
#   cmake --preset release && cmake --build --preset release --target all portal && cpack --preset release
# With EMT_PACKAGE (the release preset) the prefix is /usr, and configuration and units go to their places; otherwise both are examples.
include(GNUInstallDirs)
set(share ${CMAKE_INSTALL_DATADIR}/emt)

if(NOT TARGET emtd)
    return()
endif()

install(TARGETS emtd emtctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT platform)
install(TARGETS emt-agent RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT agent)
install(DIRECTORY migrations/ DESTINATION ${share}/migrations COMPONENT platform)
install(FILES schema/api/openapi.yaml DESTINATION ${share} COMPONENT platform)
install(DIRECTORY admin-ui/dist/ DESTINATION ${share}/portal COMPONENT platform OPTIONAL)
install(FILES docs/operations.md docs/first-steps.md README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/emt-platform COMPONENT platform)
install(FILES docs/agent.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/emt-agent COMPONENT agent)
install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/emt-platform COMPONENT platform)
install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/emt-agent COMPONENT agent)

if(NOT EMT_PACKAGE)
    install(FILES deploy/emtd.yaml deploy/systemd/emtd.service DESTINATION ${share}/examples COMPONENT platform)
    install(FILES deploy/systemd/emt-agent@.service DESTINATION ${share}/examples COMPONENT agent)
    return()
endif()

# Macros of libraries put file names into programs; where something was built is nobody's business.
target_compile_options(emt_options INTERFACE -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)

install(FILES deploy/emtd.yaml DESTINATION /etc/emt COMPONENT platform)
install(FILES deploy/systemd/emtd.service DESTINATION /lib/systemd/system COMPONENT platform)
install(FILES deploy/systemd/emt-agent@.service DESTINATION /lib/systemd/system COMPONENT agent)
# A package without the portal would look complete.
install(CODE "if(NOT EXISTS \"${CMAKE_SOURCE_DIR}/admin-ui/dist/index.html\")
    message(FATAL_ERROR \"the portal is not built: cmake --build --preset release --target portal\")
endif()" COMPONENT platform)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME emt)
set(CPACK_PACKAGE_VENDOR "EMT Platform")
set(CPACK_PACKAGE_CONTACT "EMT Platform <${EMT_MAINTAINER}>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_COMPONENTS_ALL platform agent)
set(CPACK_STRIP_FILES ON)
# Absolute destinations: everything is installed below one folder first.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(control ${CMAKE_CURRENT_LIST_DIR})

set(CPACK_DEBIAN_PLATFORM_PACKAGE_NAME emt-platform)
set(CPACK_COMPONENT_PLATFORM_DESCRIPTION "head-end for German smart meter gateways
Takes telegrams from gateways over mutual TLS, keeps readings in PostgreSQL,
writes MSCONS files, and serves REST and a portal. Multi-tenant.")
set(CPACK_DEBIAN_PLATFORM_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PLATFORM_PACKAGE_RECOMMENDS "postgresql (>= 15)")
set(CPACK_DEBIAN_PLATFORM_PACKAGE_CONTROL_EXTRA
    ${control}/platform/postinst ${control}/platform/prerm ${control}/platform/postrm ${control}/platform/conffiles)

set(CPACK_DEBIAN_AGENT_PACKAGE_NAME emt-agent)
set(CPACK_COMPONENT_AGENT_DESCRIPTION "field gateway of EMT Platform
Takes telegrams in, keeps them on disk until the head-end has stored them,
and holds one session with it.")
set(CPACK_DEBIAN_AGENT_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA ${control}/agent/postinst ${control}/agent/prerm ${control}/agent/postrm)

include(CPack)
