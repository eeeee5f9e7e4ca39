# Target "portal": admin-ui built into admin-ui/dist, where emtd of this tree finds it. Only when asked for: it needs npm and its registry.
set(EMT_PORTAL_DIR ${CMAKE_SOURCE_DIR}/admin-ui)
find_program(EMT_NPM npm)

if(NOT EXISTS ${EMT_PORTAL_DIR}/package-lock.json)
    add_custom_target(portal COMMAND ${CMAKE_COMMAND} -E echo "portal: there is no admin-ui/package-lock.json" COMMAND ${CMAKE_COMMAND} -E false)
elseif(NOT EMT_NPM)
    add_custom_target(portal
        COMMAND ${CMAKE_COMMAND} -E echo "portal: npm was not found: apt-get install --no-install-recommends nodejs npm"
        COMMAND ${CMAKE_COMMAND} -E false)
else()
    file(GLOB_RECURSE portal_sources CONFIGURE_DEPENDS 
        ${EMT_PORTAL_DIR}/src/* ${EMT_PORTAL_DIR}/public/* ${EMT_PORTAL_DIR}/tools/*)
    file(GLOB portal_settings CONFIGURE_DEPENDS ${EMT_PORTAL_DIR}/*.json ${EMT_PORTAL_DIR}/*.js ${EMT_PORTAL_DIR}/*.ts ${EMT_PORTAL_DIR}/*.html)
    # Made by the build itself.
    list(FILTER portal_sources EXCLUDE REGEX "/src/api/(schema[.]d|access)[.]ts$")
    # npm writes this file last.
    add_custom_command(
        OUTPUT ${EMT_PORTAL_DIR}/node_modules/.package-lock.json
        COMMAND ${EMT_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
        COMMAND ${CMAKE_COMMAND} -E touch ${EMT_PORTAL_DIR}/node_modules/.package-lock.json
        DEPENDS ${EMT_PORTAL_DIR}/package-lock.json
        WORKING_DIRECTORY ${EMT_PORTAL_DIR} COMMENT "portal: npm ci" VERBATIM)
    add_custom_command(
        OUTPUT ${EMT_PORTAL_DIR}/dist/index.html
        COMMAND ${EMT_NPM} run --silent build
        COMMAND ${CMAKE_COMMAND} -E touch ${EMT_PORTAL_DIR}/dist/index.html
        DEPENDS ${EMT_PORTAL_DIR}/node_modules/.package-lock.json ${portal_sources} ${portal_settings}
                ${CMAKE_SOURCE_DIR}/schema/api/openapi.yaml
        WORKING_DIRECTORY ${EMT_PORTAL_DIR} COMMENT "portal: build" VERBATIM)
    add_custom_target(portal DEPENDS ${EMT_PORTAL_DIR}/dist/index.html)
endif()
