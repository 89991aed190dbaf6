"use strict";
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // a key is typed for this page alone, never kept in the browser
  validatorUrl: null, // no stranger's server
});
