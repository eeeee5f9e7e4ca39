export default function TenantChoicePage() {
  return null;
}
