/** As schema/api/openapi.yaml asks of new passwords. */
export const MIN_PASSWORD = 12;
